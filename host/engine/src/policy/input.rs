//! The data that crosses into a sandbox: the declared inputs, and nothing else.

use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::manifest::{BodyInput, Manifest, NamedInput};
use crate::policy::session::{Established, Subject};
use crate::principal::{Principal, PrincipalKind};
use crate::reason::HostReason;
use http::{HeaderMap, HeaderName};
use wire::RequestParts;

/// The declared inputs of one request, gathered before they are lent to the
/// record that crosses.
pub(super) struct Inputs<'a> {
    manifest: &'a Manifest,
    subject: &'a Subject,
    established: &'a Established,
    headers: Vec<Values<'a>>,
    query_parameters: Vec<Values<'a>>,
    digests: Vec<&'a [u8]>,
    client_address: Option<String>,
    principal: Option<Lent<'a>>,
}

/// The values of one named input.
enum Values<'a> {
    AtMostOne(Option<&'a str>),
    Many(Vec<&'a str>),
}

/// A principal whose lists are lists of borrowed text.
struct Lent<'a> {
    principal: &'a Principal,
    roles: Vec<&'a str>,
    scopes: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

/// Why the request is refused before the policy runs: a declared input is
/// there twice, or is not text.
pub(super) type Refused = (HostReason, String);

/// The declared query parameters, decoded, in the manifest's order.
pub(super) fn decode_query(manifest: &Manifest, subject: &Subject) -> Result<Vec<Vec<String>>, Refused> {
    let decode = |input: &NamedInput<String>| {
        let values = subject
            .request
            .query_values(&input.name)
            .map_err(|reason| (reason, format!("parameter `{}`", input.name)))?;
        if !input.many && values.len() > 1 {
            return Err((HostReason::DuplicateQueryParameter, format!("parameter `{}`", input.name)));
        }
        Ok(values)
    };
    manifest.query_parameters.iter().map(decode).collect()
}

impl<'a> Inputs<'a> {
    /// Gathers what `manifest` declares; `query` is what [`decode_query`]
    /// made of it.
    pub(super) fn gather(
        manifest: &'a Manifest,
        subject: &'a Subject,
        established: &'a Established,
        query: &'a [Vec<String>],
    ) -> Result<Self, Refused> {
        let declares = |part| manifest.parts.contains(part);
        let headers = &subject.request.head.headers;
        let query_parameters = manifest.query_parameters.iter().zip(query).map(|(input, values)| {
            let mut values = values.iter().map(String::as_str);
            if input.many { Values::Many(values.collect()) } else { Values::AtMostOne(values.next()) }
        });
        let address = subject.request.head.client.address.filter(|_| declares(RequestParts::CLIENT_ADDRESS));
        Ok(Self {
            manifest,
            subject,
            established,
            headers: manifest.headers.iter().map(|input| header(headers, input)).collect::<Result<_, _>>()?,
            query_parameters: query_parameters.collect(),
            digests: digests(manifest, subject),
            client_address: address.map(|address| address.to_string()),
            principal: established.principal.as_deref().filter(|_| declares(RequestParts::PRINCIPAL)).map(Lent::new),
        })
    }

    /// The declared headers, in the form in which they cross.
    pub(super) fn headers(&self) -> Vec<wire::Field<'_>> {
        self.headers.iter().map(Values::field).collect()
    }

    /// The declared query parameters, in the form in which they cross.
    pub(super) fn query_parameters(&self) -> Vec<wire::Field<'_>> {
        self.query_parameters.iter().map(Values::field).collect()
    }

    /// The declared digests of the body.
    pub(super) fn digests(&self) -> &[&[u8]] {
        &self.digests
    }

    /// The record that crosses.
    pub(super) fn record<'b>(
        &'b self,
        headers: &'b [wire::Field<'b>],
        query_parameters: &'b [wire::Field<'b>],
        digests: &'b [&'b [u8]],
    ) -> wire::Input<'b> {
        let request = &self.subject.request;
        let declares = |part| self.manifest.parts.contains(part);
        wire::Input {
            now_unix_ms: u64::try_from(self.subject.now.as_millis()).unwrap_or(u64::MAX),
            method: declares(RequestParts::METHOD).then(|| request.head.method.as_str()),
            scheme: declares(RequestParts::SCHEME).then_some(request.head.scheme),
            authority: request.authority().filter(|_| declares(RequestParts::AUTHORITY)),
            path: declares(RequestParts::PATH).then(|| request.path()),
            query: request.query().filter(|_| declares(RequestParts::QUERY)),
            target: declares(RequestParts::TARGET).then_some(request.head.target.as_str()),
            client_address: self.client_address.as_deref(),
            route: declares(RequestParts::ROUTE).then_some(&*self.subject.route),
            headers,
            query_parameters,
            body: match (&self.manifest.body, self.subject.body()) {
                (BodyInput::Digests(_), _) => wire::Body::Digests(digests),
                (BodyInput::Bytes(_), Some(bytes)) => wire::Body::Bytes(bytes),
                _ => wire::Body::None,
            },
            principal: self.principal.as_ref().map(Lent::param),
            facts: self.established.facts.as_ref().filter(|_| declares(RequestParts::FACTS)).map(|facts| {
                wire::FactsParam {
                    message_id: facts.message_id.as_deref(),
                    signed_at_unix_ms: facts.signed_at_unix_ms,
                    key_id: facts.key_id.as_deref(),
                }
            }),
        }
    }
}

impl Values<'_> {
    fn field(&self) -> wire::Field<'_> {
        match self {
            Self::AtMostOne(None) => wire::Field::Absent,
            Self::AtMostOne(Some(value)) => wire::Field::One(value),
            Self::Many(values) if values.is_empty() => wire::Field::Absent,
            Self::Many(values) => wire::Field::Many(values),
        }
    }
}

impl<'a> Lent<'a> {
    fn new(principal: &'a Principal) -> Self {
        Self {
            principal,
            roles: principal.roles.iter().map(String::as_str).collect(),
            scopes: principal.scopes.iter().map(String::as_str).collect(),
            attributes: principal.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }

    fn param(&self) -> wire::PrincipalParam<'_> {
        wire::PrincipalParam {
            id: &self.principal.id,
            kind: match self.principal.kind {
                PrincipalKind::User => wire::PrincipalKind::User,
                PrincipalKind::Service => wire::PrincipalKind::Service,
                PrincipalKind::Provider => wire::PrincipalKind::Provider,
                PrincipalKind::Device => wire::PrincipalKind::Device,
            },
            tenant: self.principal.tenant.as_deref(),
            roles: &self.roles,
            scopes: &self.scopes,
            method: &self.principal.method,
            authenticated_at_unix_ms: self.principal.authenticated_at_unix_ms,
            attributes: &self.attributes,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, input: &NamedInput<HeaderName>) -> Result<Values<'a>, Refused> {
    let text = |value: &'a http::HeaderValue| {
        std::str::from_utf8(value.as_bytes())
            .map_err(|_| (HostReason::HeaderNotUtf8, format!("field `{}`", input.name)))
    };
    let mut values = headers.get_all(&input.name).iter();
    if input.many {
        return Ok(Values::Many(values.map(text).collect::<Result<_, _>>()?));
    }
    let first = values.next().map(text).transpose()?;
    if values.next().is_some() {
        return Err((HostReason::DuplicateHeader, format!("field `{}`", input.name)));
    }
    Ok(Values::AtMostOne(first))
}

/// Computes the declared digests of the body, as far as no policy before did.
pub(super) async fn prepare_digests(manifest: &Manifest, subject: &Subject) {
    if let (BodyInput::Digests(wanted), Some(body)) = (&manifest.body, subject.body()) {
        subject.digests.prepare(body, wanted).await;
    }
}

fn digests<'a>(manifest: &Manifest, subject: &'a Subject) -> Vec<&'a [u8]> {
    match (&manifest.body, subject.body()) {
        (BodyInput::Digests(wanted), Some(_)) => {
            wanted.iter().map(|algorithm| subject.digests.get(*algorithm)).collect()
        }
        _ => Vec::new(),
    }
}
