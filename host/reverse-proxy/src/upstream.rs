//! The servers behind the gate.

use barmkin_tls::UpstreamTls;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Addresses of an upstream: a request may have to wait for each in turn.
pub const ADDRESSES_MAX: usize = 16;

/// The servers behind the gate that do the same: requests go to the first of them
/// that takes a connection.
#[derive(Clone, Debug)]
pub struct Upstream {
    name: Option<Box<str>>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) http: Http,
    pub(crate) tls: Option<Tls>,
}

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `http://host:port`.
    Http(Authority),
    /// `https://host:port`.
    Https(Authority),
    /// `unix:` and the path of a socket.
    Unix(PathBuf),
}

/// The version of HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2; without TLS from the first byte on ("prior knowledge").
    Two,
    /// The one that the TLS handshake agrees on; HTTP/1.1 without TLS.
    #[default]
    Auto,
}

/// How an upstream of `https` is known.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Its files.
    pub files: Arc<UpstreamTls>,
    /// The name that it must prove; the host of the address if there is none here.
    pub name: Option<String>,
}

/// An upstream that cannot be used. The operator must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// A text that is not an address.
    #[error("`{0}` is not an upstream: it must be `http://host:port`, `https://host:port` or `unix:` and a path")]
    NotAnAddress(String),
    /// There is no address, or there are more than may be.
    #[error("an upstream has from 1 to {ADDRESSES_MAX} addresses, and not {0}")]
    Addresses(usize),
    /// A failure would send over plain HTTP what is meant for TLS.
    #[error("the addresses of an upstream must all be `https`, or none of them")]
    PartlyTls,
    /// TLS without a word of whom to trust, or a word without TLS.
    #[error("an upstream has `tls` when its addresses are `https`, and only then")]
    Tls,
}

impl FromStr for Address {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not = || UpstreamError::NotAnAddress(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(not()) } else { Ok(Self::Unix(path.into())) };
        }
        let uri = text.parse::<Uri>().map_err(|_| not())?;
        let of_scheme = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => Self::Http,
            Some(scheme) if *scheme == Scheme::HTTPS => Self::Https,
            _ => return Err(not()),
        };
        let is_bare = matches!(uri.path_and_query().map(PathAndQuery::as_str), None | Some("/"));
        let authority = uri.authority().filter(|_| is_bare).cloned();
        // User names belong to no request.
        let plain = authority.filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
        plain.map(of_scheme).ok_or_else(not)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(authority) => write!(f, "http://{authority}"),
            Self::Https(authority) => write!(f, "https://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// `host` for a client of HTTP/1.0 that sent none.
    pub(crate) fn host(&self) -> Option<HeaderValue> {
        match self {
            Self::Http(authority) | Self::Https(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            Self::Unix(_) => Some(HeaderValue::from_static("localhost")),
        }
    }
}

/// One address, without TLS.
impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(vec![text.parse()?], Http::default(), None)
    }
}

impl Upstream {
    /// An upstream of these addresses, the most wanted first.
    ///
    /// # Errors
    /// When there is none, or too many, or they do not go with `tls`.
    pub fn new(addresses: Vec<Address>, http: Http, tls: Option<Tls>) -> Result<Self, UpstreamError> {
        if !(1..=ADDRESSES_MAX).contains(&addresses.len()) {
            return Err(UpstreamError::Addresses(addresses.len()));
        }
        let https = addresses.iter().filter(|address| matches!(address, Address::Https(_))).count();
        if https != 0 && https != addresses.len() {
            return Err(UpstreamError::PartlyTls);
        }
        if tls.is_some() != (https != 0) {
            return Err(UpstreamError::Tls);
        }
        Ok(Self { name: None, addresses, http, tls })
    }

    /// The same, with a name for the log in place of its first address.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Its name for the log.
    pub(crate) fn name(&self) -> String {
        let address = || self.addresses.first().map_or_else(String::new, ToString::to_string);
        self.name.as_deref().map_or_else(address, str::to_owned)
    }

    /// `host` for a client of HTTP/1.0 that sent none.
    pub(crate) fn host(&self) -> Option<HeaderValue> {
        self.addresses.first().and_then(Address::host)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Http, Upstream, UpstreamError};

    #[test]
    fn an_address_is_a_host_and_a_port_or_a_socket() {
        for good in ["http://127.0.0.1:8080", "http://[::1]:80", "http://app", "http://app:80/", "https://app:443"] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        assert_eq!("unix:/run/app".parse(), Ok(Address::Unix("/run/app".into())));
        for bad in ["", "app:80", "ftp://app", "http://", "http://app/x", "http://app?x", "http://u@app", "/x", "unix:"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_failure_leads_from_tls_to_plain_http() {
        let of = |texts: &[&str]| {
            let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
            Upstream::new(addresses, Http::Auto, None).map(|_| ())
        };
        assert_eq!(of(&["https://a:1", "http://b:1"]), Err(UpstreamError::PartlyTls));
        assert_eq!(of(&["https://a:1", "unix:/b"]), Err(UpstreamError::PartlyTls));
        assert_eq!(of(&["https://a:1"]), Err(UpstreamError::Tls), "nobody said whom to trust");
        assert_eq!(of(&["http://a:1", "unix:/b"]), Ok(()));
        assert_eq!(of(&[]), Err(UpstreamError::Addresses(0)));
        assert_eq!(of(&["http://a:1"; 17]), Err(UpstreamError::Addresses(17)));
    }
}
