//! What a server knows of a connection that it secured.

use barmkin_host::limits::PRINCIPAL_ID_BYTES_MAX;
use barmkin_host::{Principal, PrincipalKind};

/// The request came by TLS that ended here: among its extensions, put there by
/// the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// Who the client's certificate is for, if it has shown one and the server
    /// has verified it.
    pub client: Option<String>,
}

impl Secured {
    /// A name that is no id of a principal names nobody.
    pub(crate) fn principal(&self) -> Option<Principal> {
        let id = self.client.as_ref().filter(|id| (1..=PRINCIPAL_ID_BYTES_MAX).contains(&id.len()))?;
        Some(Principal::new(PrincipalKind::Service, id, "client-certificate"))
    }
}
