//! Which address counts as the client's: stated by the operator, never
//! guessed from whatever fields are there.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// A strategy for finding the client's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// The peer of the connection. For gates that clients reach directly.
    #[default]
    Peer,
    /// The last address in `x-forwarded-for` that is not a trusted proxy's,
    /// if the peer itself is one. For gates behind known proxies.
    RightmostUntrusted(Vec<IpNet>),
}

impl ClientAddress {
    /// Whether `peer` is a trusted proxy. A peer without an address (a Unix
    /// socket) is one if any proxy is trusted at all.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        match (self, peer) {
            (Self::Peer, _) => false,
            (Self::RightmostUntrusted(_), None) => true,
            (Self::RightmostUntrusted(proxies), Some(peer)) => {
                let peer = peer.to_canonical();
                proxies.iter().any(|net| net.contains(&peer))
            }
        }
    }

    /// The client's address, or none where the chain of proxies cannot be
    /// followed: an unreadable element hides who is behind it.
    pub fn resolve(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.trusts(peer) {
            return peer.map(|peer| peer.to_canonical());
        }
        let mut client = peer.map(|peer| peer.to_canonical());
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            for element in value.to_str().ok()?.split(',').rev() {
                let address = parse(element.trim())?;
                client = Some(address);
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address as proxies write it: bare, or with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::ClientAddress;
    use http::HeaderMap;

    fn resolve(strategy: &ClientAddress, peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        strategy.resolve(Some(peer.parse().unwrap()), &headers).map(|address| address.to_string())
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let behind = ClientAddress::RightmostUntrusted(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(resolve(&ClientAddress::Peer, "10.0.0.1", &["1.2.3.4"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(resolve(&behind, "9.9.9.9", &["1.2.3.4"]).as_deref(), Some("9.9.9.9"));
        assert_eq!(resolve(&behind, "10.0.0.1", &["6.6.6.6, 1.2.3.4"]).as_deref(), Some("1.2.3.4"));
        assert_eq!(
            resolve(&behind, "::ffff:10.0.0.1", &["6.6.6.6", "1.2.3.4:99, 10.1.1.1"]).as_deref(),
            Some("1.2.3.4")
        );
        assert_eq!(resolve(&behind, "10.0.0.1", &["1.2.3.4, unknown"]), None);
        assert_eq!(resolve(&behind, "10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
    }
}
