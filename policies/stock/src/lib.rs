//! The stock policies as ready components.
//!
//! They are built from source with this crate, or come with it as files where
//! it was published, so that a host which depends on it needs no wasm target.
//!
//! ```
//! let quota = barmkin_stock::get("rate-quota").unwrap();
//! assert!(quota.component.starts_with(b"\0asm"));
//! ```

/// A stock policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Its name in configurations, after `stock:`.
    pub name: &'static str,
    /// The component, in binary form.
    pub component: &'static [u8],
}

/// Makes the constants, and the list of them.
macro_rules! stock {
    ($($(#[$docs:meta])* $constant:ident = $name:literal;)*) => {
        $(
            $(#[$docs])*
            pub const $constant: Stock = Stock {
                name: $name,
                component: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
            };
        )*

        static ALL: &[Stock] = &[$($constant),*];
    };
}

stock! {
    /// Callers by their keys, in a header or by Basic authentication.
    API_KEY = "api-key";
    /// How much a caller may ask for.
    RATE_QUOTA = "rate-quota";
    /// Roles to scopes to methods and paths.
    RBAC_SCOPES = "rbac-scopes";
    /// Each verified delivery once, and not too late.
    REPLAY_WINDOW = "replay-window";
    /// Signed webhooks.
    WEBHOOK_SIGNATURE = "webhook-signature";
}

/// All of them, in the order of their names.
#[must_use]
pub fn all() -> &'static [Stock] {
    ALL
}

/// The one of this name.
#[must_use]
pub fn get(name: &str) -> Option<Stock> {
    ALL.iter().find(|stock| stock.name == name).copied()
}
