//! The server behind the gate.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use std::fmt;
use std::str::FromStr;

/// The server behind the gate: `http://host:port`, and nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream(Authority);

/// An upstream that cannot be used. The operator must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upstream: it must be `http://host:port`")]
pub struct UpstreamError(String);

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.scheme() == Some(&Scheme::HTTP));
        let bare = uri.filter(|uri| matches!(uri.path_and_query().map(PathAndQuery::as_str), None | Some("/")));
        let authority = bare.and_then(|uri| uri.authority().cloned());
        // User names belong to no request.
        let plain = authority.filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
        plain.map(Self).ok_or_else(|| UpstreamError(text.to_owned()))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Upstream {
    /// The address at which the upstream has what a client asked for as
    /// `requested`.
    pub(crate) fn address_of(&self, requested: &Uri) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.0.clone());
        parts.path_and_query = Some(requested.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        // INVARIANT (whole address): a scheme, an authority and a path make one.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// `host` for a client of HTTP/1.0 that sent none.
    pub(crate) fn host(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.0.as_str()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Upstream;

    #[test]
    fn an_upstream_is_a_host_and_a_port() {
        for good in ["http://127.0.0.1:8080", "http://[::1]:80", "http://app", "http://app:80/"] {
            assert!(good.parse::<Upstream>().is_ok(), "{good}");
        }
        for bad in ["", "app:80", "https://app", "http://", "http://app/x", "http://app?x", "http://u@app", "/x"] {
            assert!(bad.parse::<Upstream>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_target_is_kept_byte_for_byte() {
        let upstream: Upstream = "http://app:81".parse().unwrap();
        for target in ["/a%2e/%7E?x=%zz&&", "//a/../b", "/?"] {
            let address = upstream.address_of(&target.parse().unwrap());
            assert_eq!(address.to_string(), format!("http://app:81{target}"));
        }
    }
}
