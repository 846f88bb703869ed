//! Denials that pages of other origins may read (Fetch standard, section 3.3).
//!
//! A browser hides an answer from a page of another origin unless its fields name
//! that origin: without them a script sees a network error where the gate has said
//! 401. Only denials are the gate's to mark. What the upstream answers, and whether it
//! takes a preflight, the upstream says.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Uri};

/// The fields of a denial that a script may want: what to do about it, and what to
/// tell the operator.
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after, barmkin-reason, x-request-id");

/// The pages that may read a route's denials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Their origins, each as a browser writes it: `https://app.example.com`. They are
    /// compared byte for byte; there is no wildcard.
    pub origins: Vec<String>,
    /// Whether their requests may carry cookies and client certificates.
    pub credentials: bool,
}

impl Cors {
    /// The fields of a denial of a request with `headers`.
    pub(crate) fn fields(&self, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        // Also where the origin is not listed, or there is none: a cache must not give
        // this answer to a page that may read it.
        let mut fields = vec![(VARY, HeaderValue::from_static("origin"))];
        let mut asked = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (asked.next(), asked.next()) else { return fields };
        if !self.origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()) {
            return fields;
        }
        fields.push((ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        if self.credentials {
            fields.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        }
        fields.push((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED));
        fields
    }

    /// The first origin that no browser would send.
    pub(crate) fn unusable(&self) -> Option<&String> {
        self.origins.iter().find(|origin| !is_origin(origin))
    }
}

/// Whether a field of a denial is the gate's to set where a route has [`Cors`].
pub(crate) fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

/// Whether `text` is an origin as browsers serialize it (HTML standard, section 7.1.1):
/// in lower case, without a path, and without the scheme's own port. `null` is none,
/// since every sandboxed page has it.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let own_port = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let behind_address = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    let port = behind_address.rsplit_once(':').map(|(_, port)| port.parse::<u16>().ok());
    // One that is not a number, or the scheme's own.
    if port.is_some_and(|port| port.is_none() || port == own_port) {
        return false;
    }
    let is_whole = |uri: Uri| uri.authority().is_some_and(|parsed| parsed.as_str() == authority);
    text.parse().is_ok_and(is_whole) && !text.bytes().any(|byte| byte.is_ascii_uppercase() || b"*@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cors: &Cors, origins: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        let fields = cors.fields(&headers);
        fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn only_a_listed_origin_is_named() {
        let cors = Cors { origins: vec!["https://app.example".to_owned()], credentials: true };
        let listed = told(&cors, &["https://app.example"]);
        assert_eq!(
            listed[..3],
            [
                "vary: origin",
                "access-control-allow-origin: https://app.example",
                "access-control-allow-credentials: true"
            ]
        );
        assert!(listed[3].starts_with("access-control-expose-headers: www-authenticate, retry-after"), "{listed:?}");
        for others in [
            &[][..],
            &["https://evil.example"],
            &["null"],
            &["https://app.example.evil.example"],
            &["https://app.example:8443"],
            &["http://app.example"],
            &["https://APP.example"],
            &["https://app.example", "https://app.example"],
            &["https://app.example https://app.example"],
        ] {
            assert_eq!(told(&cors, others), ["vary: origin"], "{others:?}");
        }
        let without = Cors { credentials: false, ..cors };
        assert!(!told(&without, &["https://app.example"]).iter().any(|field| field.contains("credentials")));
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for origin in ["https://app.example", "http://localhost:3000", "https://[::1]:8443", "capacitor://localhost"] {
            assert!(is_origin(origin), "{origin}");
        }
        for text in [
            "*",
            "null",
            "app.example",
            "https://*.example",
            "https://app.example/",
            "https://App.example",
            "https://app.example:443",
            "http://app.example:80",
            "https://u@app.example",
            "https://",
            "https://a b",
            "https://app.example?x",
            "//app.example",
            "https://app.example:",
            "https://app.example:99999",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
