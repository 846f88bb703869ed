//! The layer's options: its surroundings.

use crate::secured::Secured;
use barmkin_host::{Client, ClientAddress, Sees};
use http::{Extensions, HeaderMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The options of the layer: its surroundings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which address counts as the client's, and which proxies are trusted.
    pub client_address: ClientAddress,
    /// Finds the peer of the connection among a request's extensions. A
    /// request without one comes from nobody known: no proxy is trusted for it.
    pub peer: fn(&Extensions) -> Option<SocketAddr>,
    /// Whether the server in front of the layer speaks TLS, where it does not
    /// say so for each request by [`Secured`].
    pub tls: bool,
    /// Whether the client certificate that the server verified names the
    /// principal.
    pub client_certificate: bool,
    /// The listener that requests come by, for routes that name theirs.
    pub listener: Option<Arc<str>>,
    /// How long a request whose outcome matters goes on when its client has hung
    /// up: the inner service may answer, and end its answer, within this.
    pub finish_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_address: ClientAddress::default(),
            peer: peer_from_extension,
            tls: false,
            client_certificate: false,
            listener: None,
            finish_within: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// Whether the peer of a request is a trusted proxy.
    pub fn trusts(&self, extensions: &Extensions) -> bool {
        (self.peer)(extensions).is_some_and(|peer| self.client_address.trusts(Some(peer.ip())))
    }

    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Client {
        let trusted = self.trusts(extensions);
        let peer = (self.peer)(extensions).map(|peer| peer.ip());
        let secured = extensions.get::<Secured>();
        Client {
            address: peer.and_then(|peer| self.client_address.resolve(Some(peer), headers)),
            tls: self.tls || secured.is_some() || (trusted && came_by_tls(headers)),
            trusted,
            listener: self.listener.clone(),
            sees: Sees::Response,
            principal: secured.filter(|_| self.client_certificate).and_then(Secured::principal),
            ..Client::default()
        }
    }
}

/// Finds a [`SocketAddr`] that the server put among the extensions.
pub fn peer_from_extension(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get().copied()
}

/// Finds the peer where `into_make_service_with_connect_info` put it.
#[cfg(feature = "axum")]
pub fn peer_from_connect_info(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|info| info.0)
}

/// The claim of a trusted proxy, if it makes only one.
fn came_by_tls(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all("x-forwarded-proto").iter();
    values.next().is_some_and(|value| value == "https") && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{Options, Secured};
    use barmkin_host::ClientAddress;
    use http::{Extensions, HeaderMap};
    use std::net::SocketAddr;

    fn behind_proxies() -> Options {
        Options {
            client_address: ClientAddress::RightmostUntrusted(vec!["10.0.0.0/8".parse().unwrap()]),
            ..Options::default()
        }
    }

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        for (peer, address, believed) in [("10.0.0.1:9", "192.0.2.7", true), ("198.51.100.1:9", "198.51.100.1", false)]
        {
            let mut extensions = Extensions::new();
            extensions.insert(peer.parse::<SocketAddr>().unwrap());
            let client = behind_proxies().client(&extensions, &headers());
            assert_eq!(client.address, Some(address.parse().unwrap()));
            assert_eq!((client.trusted, client.tls), (believed, believed), "{peer}");
        }
    }

    #[test]
    fn a_certificate_counts_only_where_it_was_asked_for() {
        let principal = |client_certificate, client: Option<&str>| {
            let mut extensions = Extensions::new();
            extensions.insert(Secured { client: client.map(str::to_owned) });
            let options = Options { client_certificate, ..Options::default() };
            let client = options.client(&extensions, &HeaderMap::new());
            assert!(client.tls);
            client.principal.map(|principal| principal.id)
        };
        assert_eq!(principal(true, Some("spiffe://example/app")).as_deref(), Some("spiffe://example/app"));
        assert_eq!(principal(false, Some("spiffe://example/app")), None);
        assert_eq!(principal(true, None), None);
        assert_eq!(principal(true, Some(&"a".repeat(257))), None);
    }

    #[test]
    fn a_request_from_nobody_known_is_not_trusted() {
        let client = behind_proxies().client(&Extensions::new(), &headers());
        assert_eq!((client.address, client.trusted, client.tls), (None, false, false));
    }
}
