//! The PROXY protocol, versions 1 and 2: by it a balancer that does not look
//! into connections says where they come from.
//!
//! A header is read to its last byte and no further, since what follows is the
//! client's. What it says beside the address is skipped.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a header of version 1, by its definition.
const TEXT_MAX: usize = 107;

/// Bytes of a header of version 2 after its first 16: its addresses take 216 at
/// most, and what balancers add (names, certificates' subjects) some hundred.
const BINARY_REST_MAX: usize = 4 * 1024;

/// The first bytes of either version, which both have at least.
const FIRST: usize = 12;

/// The address that `stream` says it comes from: none where it is the
/// balancer's own connection (`LOCAL`, `UNKNOWN`), or has no IP address.
///
/// # Errors
/// When it does not begin with such a header.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; FIRST];
    stream.read_exact(&mut header).await?;
    if header == ppp::v2::PROTOCOL_PREFIX { binary(stream, header).await } else { text(stream, header).await }
}

async fn binary(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> io::Result<Option<SocketAddr>> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [_, _, high, low] = fixed;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > BINARY_REST_MAX {
        return Err(invalid("a header of the PROXY protocol is too long"));
    }
    header.extend_from_slice(&fixed);
    let begun = header.len();
    header.resize(begun + rest, 0);
    stream.read_exact(header.get_mut(begun..).unwrap_or_default()).await?;
    let header = ppp::v2::Header::try_from(header.as_slice()).map_err(invalid)?;
    Ok(match (header.command, header.addresses) {
        (ppp::v2::Command::Local, _) => None,
        (_, ppp::v2::Addresses::IPv4(ip)) => Some((ip.source_address, ip.source_port).into()),
        (_, ppp::v2::Addresses::IPv6(ip)) => Some((ip.source_address, ip.source_port).into()),
        (_, ppp::v2::Addresses::Unspecified | ppp::v2::Addresses::Unix(_)) => None,
    })
}

async fn text(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> io::Result<Option<SocketAddr>> {
    if !header.starts_with(b"PROXY ") {
        return Err(invalid("it does not begin with a header of the PROXY protocol"));
    }
    while !header.ends_with(b"\r\n") {
        if header.len() == TEXT_MAX {
            return Err(invalid("a header of the PROXY protocol is too long"));
        }
        header.push(stream.read_u8().await?);
    }
    let header = ppp::v1::Header::try_from(header.as_slice()).map_err(invalid)?;
    Ok(match header.addresses {
        ppp::v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        ppp::v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        ppp::v1::Addresses::Unknown => None,
    })
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::net::SocketAddr;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = ppp::v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend(rest);
        header
    }

    /// Where it comes from, and whether what follows is whole.
    async fn from(mut header: Vec<u8>) -> Result<Option<SocketAddr>, std::io::ErrorKind> {
        header.extend(b"GET /");
        let mut stream = header.as_slice();
        let from = read(&mut stream).await.map_err(|error| error.kind())?;
        assert_eq!(stream, b"GET /");
        Ok(from)
    }

    #[tokio::test]
    async fn both_versions_say_where_it_comes_from() {
        let v4 = Some("192.0.2.7:4711".parse().unwrap());
        let v6 = Some("[2001:db8::7]:4711".parse().unwrap());
        assert_eq!(from(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".to_vec()).await, Ok(v4));
        assert_eq!(from(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".to_vec()).await, Ok(v6));
        assert_eq!(from(b"PROXY UNKNOWN\r\n".to_vec()).await, Ok(None));
        assert_eq!(from(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec()).await, Ok(None));
        let ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187];
        assert_eq!(from(v2(1, 0x11, &ipv4)).await, Ok(v4));
        // With what a balancer adds.
        assert_eq!(from(v2(1, 0x11, &[&ipv4[..], &[0x04, 0, 3, 1, 2, 3]].concat())).await, Ok(v4));
        let ipv6 = [&v6_bytes("2001:db8::7")[..], &v6_bytes("2001:db8::1"), &[0x12, 0x67, 1, 187]].concat();
        assert_eq!(from(v2(1, 0x21, &ipv6)).await, Ok(v6));
        assert_eq!(from(v2(0, 0x11, &ipv4)).await, Ok(None), "its own health check");
        assert_eq!(from(v2(0, 0, &[])).await, Ok(None));
        assert_eq!(from(v2(1, 0x31, &[0; 216])).await, Ok(None), "a Unix socket has no address");
    }

    fn v6_bytes(text: &str) -> [u8; 16] {
        text.parse::<std::net::Ipv6Addr>().unwrap().octets()
    }

    #[tokio::test]
    async fn what_is_no_such_header_is_refused() {
        for bad in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 198.51.100.1 4711 443\r\n".to_vec(),
            [&b"PROXY UNKNOWN "[..], &[b'a'; 200], b"\r\n"].concat(),
            v2(1, 0x11, &[0; 4]),
            v2(2, 0x11, &[0; 12]),
            v2(1, 0x11, &[0; 5_000]),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00".to_vec(),
        ] {
            assert_eq!(from(bad.clone()).await, Err(std::io::ErrorKind::InvalidData), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn every_byte_may_come_by_itself() {
        let (mut theirs, mut ours) = tokio::io::duplex(1);
        let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
        let (sent, read) = tokio::join!(tokio::io::AsyncWriteExt::write_all(&mut theirs, header), read(&mut ours));
        sent.unwrap();
        assert_eq!(read.unwrap(), Some("192.0.2.7:4711".parse().unwrap()));
    }
}
