//! Which host a request is for (law 5; RFC 9112 section 3.2, RFC 9113
//! section 8.3.1).

use crate::reason::HostReason;
use crate::request::Head;
use http::header::HOST;

/// The host that `head` names: lower case, no port, no final dot, empty when
/// it names none.
pub(super) fn host(head: &Head) -> Result<String, HostReason> {
    let mut fields = head.headers.get_all(HOST).iter();
    let field = fields.next().map(|value| value.to_str()).transpose().map_err(|_| HostReason::AmbiguousAuthority)?;
    if fields.next().is_some() {
        return Err(HostReason::AmbiguousAuthority);
    }
    match (head.authority.as_deref(), field) {
        (None, None) => Ok(String::new()),
        (Some(authority), None) | (None, Some(authority)) => parse(authority),
        (Some(authority), Some(field)) => {
            let host = parse(authority)?;
            if parse(field)? == host { Ok(host) } else { Err(HostReason::AmbiguousAuthority) }
        }
    }
}

fn parse(authority: &str) -> Result<String, HostReason> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            address.parse::<std::net::Ipv6Addr>().map_err(|_| HostReason::AmbiguousAuthority)?;
            (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let port_is_number = port.is_some_and(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = host.strip_suffix('.').unwrap_or(host);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if !port_is_number || !host.bytes().all(known) || host.split('.').any(str::is_empty) {
        return Err(HostReason::AmbiguousAuthority);
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn hosts_are_read_one_way() {
        for (authority, host) in [
            ("Hooks.Example.com", "hooks.example.com"),
            ("hooks.example.com:8443", "hooks.example.com"),
            ("hooks.example.com.:443", "hooks.example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(parse(authority).as_deref(), Ok(host), "{authority}");
        }
    }

    #[test]
    fn hosts_that_could_be_read_otherwise_are_refused() {
        for authority in
            ["", "a@b", "a b", "a,b", "a:b", "a:1:2", "::1", "[::1]x", "[::g]", "a..b", "a/b", "a:123456", "é"]
        {
            assert!(parse(authority).is_err(), "{authority}");
        }
    }
}
