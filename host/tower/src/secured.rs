//! The server's knowledge of a connection that it secured.

use barmkin_host::limits::PRINCIPAL_ID_BYTES_MAX;
use barmkin_host::{Principal, PrincipalKind};

/// The request came over TLS that ended here: among its extensions, put there by
/// the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// The name in the client's certificate, if it has shown one and the server
    /// has verified it.
    pub client: Option<String>,
}

impl Secured {
    /// A name that is not a principal's id names nobody.
    pub(crate) fn principal(&self) -> Option<Principal> {
        let id = self.client.as_ref().filter(|id| (1..=PRINCIPAL_ID_BYTES_MAX).contains(&id.len()))?;
        Some(Principal::new(PrincipalKind::Service, id, "client-certificate"))
    }
}
