use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A client, as far as its address tells it from others: an IPv4 address, or the
/// first half of an IPv6 address, since a client that has one of those has the
/// 2^64 beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(IpAddr);

/// Of addresses that stand for IPv4 ones behind a translator, without these: the
/// well-known `64:ff9b::/96` (RFC 6052, section 2.1).
const TRANSLATED: u128 = 0x0064_ff9b << 96;

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        let IpAddr::V6(v6) = address.to_canonical() else { return Self(address.to_canonical()) };
        let bits = v6.to_bits();
        match u32::try_from(bits ^ TRANSLATED) {
            Ok(v4) => Self(Ipv4Addr::from_bits(v4).into()),
            Err(_) => Self(Ipv6Addr::from_bits(bits & !u128::from(u64::MAX)).into()),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Client;
    use std::net::IpAddr;

    #[test]
    fn who_has_an_ipv6_address_has_its_network() {
        let client = |text: &str| Client::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_eq!(client("64:ff9b::192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("64:ff9b::192.0.2.1"), client("64:ff9b::192.0.2.2"));
        assert_eq!(client("64:ff9b:1::1"), client("64:ff9b:1::2"));
        assert_eq!(client("2001:db8::1").to_string(), "2001:db8::");
    }
}
