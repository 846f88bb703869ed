//! The parts of a request that have a name in the contract.

use core::ops::Deref;

use crate::extract::{Extract, Needs, Request};
use crate::reason::MISSING_PRINCIPAL;
use crate::types::{Denial, Facts, Principal, RequestParts};

/// The time of the decision: one reading for the whole chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    unix_ms: u64,
}

impl Now {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_ms
    }
}

impl<'a, R> Extract<'a, R> for Now {
    fn declare(_: &R, _: &mut Needs) {}

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { unix_ms: request.input().now_unix_ms })
    }
}

/// Declares extractors of text that every request has.
macro_rules! always_there {
    ($($(#[$docs:meta])* $name:ident = $field:ident, $part:ident;)*) => {$(
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// The text.
            #[must_use]
            pub fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl Deref for $name<'_> {
            type Target = str;

            fn deref(&self) -> &str {
                self.0
            }
        }

        impl<'a, R> Extract<'a, R> for $name<'a> {
            fn declare(_: &R, needs: &mut Needs) {
                needs.part(RequestParts::$part);
            }

            fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
                Ok(Self(request.input().$field.as_deref().unwrap_or_default()))
            }
        }
    )*};
}

always_there! {
    /// The method, as sent: methods are case-sensitive (RFC 9110, section 9.1).
    Method = method, METHOD;
    /// The path in canonical form, without the query.
    Path = path, PATH;
    /// The request target exactly as it was received.
    Target = target, TARGET;
}

/// Declares extractors of text that a request may lack.
macro_rules! perhaps_there {
    ($($(#[$docs:meta])* $name:ident = $field:ident, $part:ident;)*) => {$(
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(Option<&'a str>);

        impl<'a> $name<'a> {
            /// The text, if the request has it.
            #[must_use]
            pub fn get(self) -> Option<&'a str> {
                self.0
            }
        }

        impl<'a, R> Extract<'a, R> for $name<'a> {
            fn declare(_: &R, needs: &mut Needs) {
                needs.part(RequestParts::$part);
            }

            fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
                Ok(Self(request.input().$field.as_deref()))
            }
        }
    )*};
}

perhaps_there! {
    /// The scheme, `http` or `https`, where the listener knows it.
    Scheme = scheme, SCHEME;
    /// The authority: host, and port where it is not the scheme's own.
    Authority = authority, AUTHORITY;
    /// The part after the first `?`, not decoded.
    Query = query, QUERY;
    /// The address of the client, behind trusted proxies.
    ClientAddress = client_address, CLIENT_ADDRESS;
    /// The name of the route that matched.
    Route = route, ROUTE;
}

/// Who is asking, if an earlier policy established it.
impl<'a, R> Extract<'a, R> for Option<&'a Principal> {
    fn declare(_: &R, needs: &mut Needs) {
        needs.part(RequestParts::PRINCIPAL);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(request.input().principal.as_ref())
    }
}

/// Who is asking. Denies `missing-principal` where no earlier policy has
/// established it.
impl<'a, R> Extract<'a, R> for &'a Principal {
    fn declare(_: &R, needs: &mut Needs) {
        needs.part(RequestParts::PRINCIPAL);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        request.input().principal.as_ref().ok_or_else(|| MISSING_PRINCIPAL.denial())
    }
}

/// The facts that an earlier policy verified, if one did.
impl<'a, R> Extract<'a, R> for Option<&'a Facts> {
    fn declare(_: &R, needs: &mut Needs) {
        needs.part(RequestParts::FACTS);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(request.input().facts.as_ref())
    }
}
