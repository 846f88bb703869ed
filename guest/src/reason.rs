//! Why a policy denies, declared where it does.

use crate::describe::Lines;
use crate::types::{Decision, Denial};

/// A reason for which a policy denies. [`reasons!`](crate::reasons) declares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    status: u16,
    code: &'static str,
}

/// A reason, and what it means: only ever looked at while a policy is compiled, or
/// natively.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredReason {
    /// The reason.
    pub reason: Reason,
    /// Its meaning, for the operator.
    pub text: Lines,
}

impl Reason {
    /// One with a status from 200 to 599, and a code in lower case with hyphens. A
    /// constant of another does not compile.
    #[must_use]
    #[allow(clippy::panic, clippy::indexing_slicing, reason = "of constants, while a policy is compiled")]
    pub const fn new(status: u16, code: &'static str) -> Self {
        assert!(status >= 200 && status <= 599, "a status is from 200 to 599");
        let bytes = code.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 64, "a code has from 1 to 64 characters");
        let mut index = 0;
        while index < bytes.len() {
            let fits = matches!(bytes[index], b'a'..=b'z' | b'0'..=b'9' | b'-');
            assert!(fits, "a code has letters in lower case, digits and hyphens");
            index += 1;
        }
        Self { status, code }
    }

    /// The status that the client gets.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The code by which clients, logs and metrics know it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Keeps the request out for this reason.
    #[must_use]
    pub fn deny(self) -> Decision {
        Decision::Deny(self.denial())
    }

    /// As [`deny`](Self::deny), for where only a denial fits.
    #[must_use]
    pub fn denial(self) -> Denial {
        Denial::new(self.status, self.code)
    }
}

/// The reason of extractors of a principal: no policy has to declare it.
pub(crate) const MISSING_PRINCIPAL: Reason = Reason::new(403, "missing-principal");

/// Declares the reasons for which a policy denies: constants, and the list
/// `REASONS` of them for `#[policy(reasons = REASONS)]`.
///
/// ```
/// use barmkin_guest::prelude::*;
///
/// reasons! {
///     /// The header is missing: callers must name themselves.
///     MISSING_PARTNER = 401 "missing-partner";
///     /// The operator does not list this partner.
///     UNKNOWN_PARTNER = 403 "unknown-partner";
/// }
///
/// assert_eq!(UNKNOWN_PARTNER.deny().code(), Some("unknown-partner"));
/// ```
///
/// Native tests of a policy that declares its reasons fail where it denies for
/// another.
#[macro_export]
macro_rules! reasons {
    ($($(#[doc = $text:literal])+ $name:ident = $status:literal $code:literal;)+) => {
        $(
            $(#[doc = $text])+
            pub(crate) const $name: $crate::Reason = $crate::Reason::new($status, $code);
        )+

        /// All of them, with what they mean.
        pub(crate) const REASONS: &[$crate::describe::DeclaredReason] = &[
            $($crate::describe::DeclaredReason { reason: $name, text: &[$($text),+] }),+
        ];
    };
}
