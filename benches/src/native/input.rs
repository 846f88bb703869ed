//! The input that a rule declared, out of a request.

use barmkin_guest::types::{Body, Cardinality, Facts, Field, Input, Manifest, NamedInput, Principal, RequestParts};
use barmkin_host::Head;
use http::HeaderMap;

/// The principal and facts that earlier rules established.
#[derive(Debug, Default)]
pub struct Established {
    /// Who is asking.
    pub principal: Option<Principal>,
    /// The verified facts.
    pub facts: Option<Facts>,
}

impl Established {
    /// Lends what `manifest` declares to an input; [`take_back`](Self::take_back)
    /// ends it.
    pub(super) fn lend(&mut self, manifest: &Manifest, input: &mut Input) {
        if declares(manifest, RequestParts::PRINCIPAL) {
            input.principal = self.principal.take();
        }
        if declares(manifest, RequestParts::FACTS) {
            input.facts = self.facts.take();
        }
    }

    pub(super) fn take_back(&mut self, input: Input) {
        self.principal = self.principal.take().or(input.principal);
        self.facts = self.facts.take().or(input.facts);
    }
}

/// The declared inputs, as the rules of the bench declare them: no query
/// parameters, and the body at most on the host.
pub(super) fn gather(manifest: &Manifest, head: &Head, now_unix_ms: u64) -> Result<Input, &'static str> {
    let path = head.target.split_once('?').map_or(head.target.as_str(), |(path, _)| path);
    let text = |part, text: &str| declares(manifest, part).then(|| text.to_owned());
    let headers = manifest.headers.iter().map(|input| header(&head.headers, input));
    Ok(Input {
        now_unix_ms,
        method: text(RequestParts::METHOD, head.method.as_str()),
        scheme: text(RequestParts::SCHEME, head.scheme),
        authority: None,
        path: text(RequestParts::PATH, path),
        query: None,
        target: text(RequestParts::TARGET, &head.target),
        client_address: None,
        route: None,
        headers: headers.collect::<Result<_, _>>()?,
        query_parameters: Vec::new(),
        body: Body::None,
        principal: None,
        facts: None,
    })
}

fn declares(manifest: &Manifest, part: RequestParts) -> bool {
    (manifest.parts & part) == part
}

fn header(headers: &HeaderMap, input: &NamedInput) -> Result<Field, &'static str> {
    let mut values = headers.get_all(&input.name).iter().map(|value| value.to_str().map(str::to_owned));
    let (first, second) = (values.next(), values.next());
    match (first, second, input.cardinality) {
        (None, ..) => Ok(Field::Absent),
        (Some(first), None, _) => first.map(Field::One).map_err(|_| "header-not-utf8"),
        (Some(_), Some(_), Cardinality::AtMostOne) => Err("duplicate-header"),
        (Some(first), second, Cardinality::Many) => {
            let all: Result<_, _> = [first].into_iter().chain(second).chain(values).collect();
            all.map(Field::Many).map_err(|_| "header-not-utf8")
        }
    }
}
