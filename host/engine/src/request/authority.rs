//! Which host a request is for (RFC 9110, section 7.2; RFC 9112, section 3.2;
//! RFC 9113, section 8.3.1).

use crate::reason::HostReason;
use crate::request::Head;
use http::header::HOST;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A host and a port that can be read in one way only: the name in lower case
/// and without a final dot, addresses in their canonical text, the port only
/// where it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    text: String,
    host_bytes: usize,
}

impl Authority {
    /// The authority that `head` names, or `None` if it names none.
    pub(super) fn of(head: &Head) -> Result<Option<Self>, HostReason> {
        let mut fields = head.headers.get_all(HOST).iter();
        let field =
            fields.next().map(|value| value.to_str()).transpose().map_err(|_| HostReason::AmbiguousAuthority)?;
        if fields.next().is_some() {
            return Err(HostReason::AmbiguousAuthority);
        }
        let read = |text| Self::read(text, head.scheme).ok_or(HostReason::AmbiguousAuthority);
        match (head.authority.as_deref(), field) {
            (None, None) => Ok(None),
            (Some(text), None) | (None, Some(text)) => read(text).map(Some),
            (Some(text), Some(field)) => {
                let authority = read(text)?;
                if read(field)? == authority { Ok(Some(authority)) } else { Err(HostReason::AmbiguousAuthority) }
            }
        }
    }

    /// The host, addresses of IPv6 in brackets.
    pub(crate) fn host(&self) -> &str {
        self.text.get(..self.host_bytes).unwrap_or_default()
    }

    /// The host, and the port where it is not the scheme's own.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn read(text: &str, scheme: &str) -> Option<Self> {
        let end = text.strip_prefix('[').and_then(|rest| rest.find(']')).map_or(0, |end| end + 2);
        let (host, port) = match text.get(end..)?.split_once(':') {
            Some((rest, port)) => (text.get(..end + rest.len())?, port),
            None => (text, ""),
        };
        let mut text = canonical_host(host)?;
        let host_bytes = text.len();
        if !port.is_empty() {
            if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let port: u16 = port.parse().ok()?;
            let own = if scheme == "https" { 443 } else { 80 };
            if port != own {
                text.push_str(&format!(":{port}"));
            }
        }
        Some(Self { text, host_bytes })
    }
}

/// The one text for `host`, without port; `None` where it is not a host, or could
/// be read as another one.
pub(crate) fn canonical_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        // To some it is the address of IPv4 that it contains.
        return address.to_ipv4_mapped().is_none().then(|| format!("[{address}]"));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !host.bytes().all(known) || host.split('.').any(str::is_empty) {
        return None;
    }
    // `127.1`, `0x7f000001` and `2130706433` are addresses to some, and names
    // to others (URL standard, section 3.5).
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str, is_digit: fn(&u8) -> bool| text.as_bytes().iter().all(is_digit);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    if digits(last, u8::is_ascii_digit) || hexadecimal.is_some_and(|text| digits(text, u8::is_ascii_hexdigit)) {
        return host.parse::<Ipv4Addr>().ok().map(|address| address.to_string());
    }
    Some(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::Authority;

    fn read(text: &str) -> Option<(String, String)> {
        let authority = Authority::read(text, "https")?;
        Some((authority.host().to_owned(), authority.as_str().to_owned()))
    }

    #[test]
    fn hosts_are_read_one_way() {
        for (text, host, authority) in [
            ("Hooks.Example.com", "hooks.example.com", "hooks.example.com"),
            ("hooks.example.com:8443", "hooks.example.com", "hooks.example.com:8443"),
            ("hooks.example.com.:443", "hooks.example.com", "hooks.example.com"),
            ("hooks.example.com:0443", "hooks.example.com", "hooks.example.com"),
            ("hooks.example.com:", "hooks.example.com", "hooks.example.com"),
            ("my_service:80", "my_service", "my_service:80"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("127.0.0.1:80", "127.0.0.1", "127.0.0.1:80"),
            ("[::1]:8080", "[::1]", "[::1]:8080"),
            ("[0:0:0:0:0:0:0:1]", "[::1]", "[::1]"),
            ("[2001:DB8::0001]:443", "[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(read(text), Some((host.to_owned(), authority.to_owned())), "{text}");
        }
    }

    #[test]
    fn hosts_that_could_be_read_otherwise_are_refused() {
        for text in [
            "",
            ".",
            ":80",
            "a@b",
            "u:p@a",
            "a b",
            "a,b",
            "a:b",
            "a:1:2",
            "a:+1",
            "a:-1",
            "::1",
            "[::1]x",
            "[::1",
            "[::g]",
            "[]",
            "[::1%25eth0]",
            "[fe80::1%eth0]",
            "[::ffff:127.0.0.1]",
            "[1.2.3.4]",
            "[v1.a]",
            "a..b",
            ".a",
            "a..",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a%2eb",
            "%61",
            "a:65536",
            "a:123456",
            "é",
            "a\u{0}",
            "127.1",
            "127.0.0.01",
            "2130706433",
            "0x7f.0.0.1",
            "0x7f000001",
            "1.2.3.4.5",
            "a.1",
            "a.0x1f",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
