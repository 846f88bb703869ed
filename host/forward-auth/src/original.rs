//! Reads the request that a call is about.

use crate::dialect::{Carriage, Dialect};
use crate::refusal::Refusal;
use barmkin_host::{Client, ClientAddress, Head};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::net::IpAddr;

const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const AUTHORITY: HeaderName = HeaderName::from_static("x-forwarded-host");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const URL: HeaderName = HeaderName::from_static("x-original-url");

/// The fields in which one proxy or another says what the method was.
const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-original-method"), HeaderName::from_static("x-forwarded-method")];

/// Likewise the target.
const TARGETS: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// The request that a call from `peer` is about.
///
/// # Errors
/// Where the proxy does not say, once and readably, what it was about.
pub(crate) fn read(
    dialect: &Dialect,
    mut parts: Parts,
    peer: IpAddr,
    address: &ClientAddress,
) -> Result<Head, Refusal> {
    let headers = &mut parts.headers;
    let original = match dialect.carriage() {
        Carriage::Fields { method, target, url } => Claims::take(headers)?.read(&method, &target, url)?,
        Carriage::RequestLine { path_prefix } => {
            let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
            let target = target.strip_prefix(path_prefix).ok_or(Refusal::WithoutPrefix)?.to_owned();
            let (proto, host) = (take(headers, PROTO)?, take(headers, HOST)?);
            let missing = [(PROTO, proto.is_none()), (HOST, host.is_none())];
            let (Some(proto), Some(authority)) = (proto, host) else { return Err(lacking(missing)) };
            Original { method: parts.method, https: is_https(&proto)?, authority, target }
        }
    };
    let client = Client {
        // The peer is a proxy, never the client.
        address: headers.contains_key(FOR).then(|| address.resolve(Some(peer), headers)).flatten(),
        tls: original.https,
        // Of these proxies, Envoy alone does not pass on a client's request id.
        trusted: matches!(dialect, Dialect::EnvoyHttp { .. }),
        ..Client::default()
    };
    Ok(Head {
        method: original.method,
        // Proxies do not say which version it was.
        version: Version::HTTP_11,
        scheme: if original.https { "https" } else { "http" },
        authority: Some(original.authority),
        target: original.target,
        headers: parts.headers,
        client,
    })
}

struct Original {
    method: Method,
    https: bool,
    authority: String,
    target: String,
}

/// Everything that a call says of the request, in whatever dialect.
struct Claims {
    methods: [Option<String>; 2],
    targets: [Option<String>; 2],
    url: Option<Url>,
    proto: Option<String>,
    authority: Option<String>,
}

/// `x-original-url`: a whole URL as ingress-nginx sends it, or a target as
/// servers with rewriting do.
struct Url {
    whole: Option<(String, String)>,
    target: String,
}

impl Claims {
    fn take(headers: &mut HeaderMap) -> Result<Self, Refusal> {
        let [method, forwarded_method] = METHODS;
        let [target, forwarded_target] = TARGETS;
        let claims = Self {
            methods: [take(headers, method)?, take(headers, forwarded_method)?],
            targets: [take(headers, target)?, take(headers, forwarded_target)?],
            url: take(headers, URL)?.map(|url| Url::read(&url)).transpose()?,
            proto: take(headers, PROTO)?,
            authority: take(headers, AUTHORITY)?,
        };
        // It names this endpoint, or repeats what the proxy says.
        headers.remove(HOST);
        Ok(claims)
    }

    /// The request by the dialect's own fields. A client may have sent those
    /// of another dialect: none of them decides, and one that differs is
    /// refused, since which of them the proxy wrote cannot be told.
    fn read(self, method: &HeaderName, target: &HeaderName, url: bool) -> Result<Original, Refusal> {
        let own = |names: &[HeaderName; 2], values: &[Option<String>; 2], name: &HeaderName| {
            names.iter().zip(values).find(|(known, _)| *known == name).and_then(|(_, value)| value.clone())
        };
        let whole = self.url.as_ref().filter(|_| url);
        let (scheme, host) = whole.and_then(|url| url.whole.clone()).unzip();
        let asked_method = own(&METHODS, &self.methods, method);
        let asked_target = own(&TARGETS, &self.targets, target).or_else(|| whole.map(|url| url.target.clone()));
        let (proto, authority) = (self.proto.clone().or(scheme), self.authority.clone().or(host));
        let missing = [
            (method.clone(), asked_method.is_none()),
            (target.clone(), asked_target.is_none()),
            (PROTO, proto.is_none()),
            (AUTHORITY, authority.is_none()),
        ];
        let (Some(asked_method), Some(asked_target), Some(proto), Some(authority)) =
            (asked_method, asked_target, proto, authority)
        else {
            return Err(lacking(missing));
        };
        let https = is_https(&proto)?;
        self.agree_with(&asked_method, https, &authority, &asked_target)?;
        let method = Method::from_bytes(asked_method.as_bytes()).map_err(|_| Refusal::Malformed(method.clone()))?;
        Ok(Original { method, https, authority, target: asked_target })
    }

    fn agree_with(&self, method: &str, https: bool, authority: &str, target: &str) -> Result<(), Refusal> {
        let contradicting = |names: [HeaderName; 2], values: &[Option<String>; 2], read: &str| {
            let differs = |value: &Option<String>| value.as_deref().is_some_and(|value| value != read);
            names.into_iter().zip(values).find(|(_, value)| differs(value)).map(|(name, _)| name)
        };
        let differs = contradicting(METHODS, &self.methods, method).or_else(|| {
            contradicting(TARGETS, &self.targets, target).or_else(|| {
                let url = self.url.as_ref()?;
                let same_whole = url.whole.as_ref().is_none_or(|(scheme, host)| {
                    is_https(scheme).is_ok_and(|secure| secure == https) && host.eq_ignore_ascii_case(authority)
                });
                (url.target != target || !same_whole).then_some(URL)
            })
        });
        differs.map_or(Ok(()), |name| Err(Refusal::Contradiction(name)))
    }
}

impl Url {
    fn read(text: &str) -> Result<Self, Refusal> {
        if text.starts_with('/') {
            return Ok(Self { whole: None, target: text.to_owned() });
        }
        let (scheme, rest) = text.split_once("://").ok_or(Refusal::Malformed(URL))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, target) = rest.split_at_checked(end).ok_or(Refusal::Malformed(URL))?;
        let target = if target.is_empty() { "/" } else { target };
        Ok(Self { whole: Some((scheme.to_owned(), host.to_owned())), target: target.to_owned() })
    }
}

fn is_https(proto: &str) -> Result<bool, Refusal> {
    match proto {
        "https" | "wss" => Ok(true),
        "http" | "ws" => Ok(false),
        _ => Err(Refusal::Malformed(PROTO)),
    }
}

fn lacking<const N: usize>(fields: [(HeaderName, bool); N]) -> Refusal {
    Refusal::Missing(fields.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect())
}

/// Takes the one value of field `name`; an empty one says nothing.
fn take(headers: &mut HeaderMap, name: HeaderName) -> Result<Option<String>, Refusal> {
    if headers.get_all(&name).iter().nth(1).is_some() {
        return Err(Refusal::Ambiguous(name));
    }
    let value = headers.remove(&name).filter(|value| !value.is_empty());
    value.map(|value| text(&value, name)).transpose()
}

fn text(value: &HeaderValue, name: HeaderName) -> Result<String, Refusal> {
    String::from_utf8(value.as_bytes().to_vec()).map_err(|_| Refusal::Malformed(name))
}
