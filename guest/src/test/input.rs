//! The inputs taken from a request, and the refusals before the rule is asked.

use std::borrow::Cow;

use barmkin_path::Fault;
use percent_encoding::percent_decode_str;
use sha2::Digest;

use crate::test::Request;
use crate::types::{
    Body, BodyInput, Cardinality, Denial, DigestAlgorithm, Field, Input, Manifest, NamedInput, RequestParts,
};

pub(super) fn input(manifest: &Manifest, request: &Request) -> Result<Input, Denial> {
    let declared = |part, value: &str| has(manifest, part).then(|| value.to_owned());
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target.as_str(), None),
    };
    let parameters: Vec<_> = query.map(parameters).unwrap_or_default();
    let client_address = request.client_address.as_deref().and_then(|it| declared(RequestParts::CLIENT_ADDRESS, it));
    Ok(Input {
        now_unix_ms: request.now_unix_ms,
        method: declared(RequestParts::METHOD, &request.method),
        scheme: declared(RequestParts::SCHEME, "https"),
        authority: declared(RequestParts::AUTHORITY, &request.authority),
        path: declared(RequestParts::PATH, &canonical(path)?),
        query: query.and_then(|query| declared(RequestParts::QUERY, query)),
        target: declared(RequestParts::TARGET, &request.target),
        client_address,
        route: declared(RequestParts::ROUTE, "test"),
        headers: fields(&manifest.headers, &request.headers, "duplicate-header")?,
        query_parameters: fields(&manifest.query_parameters, &parameters, "duplicate-query-parameter")?,
        body: body(&manifest.body, &request.body)?,
        principal: has(manifest, RequestParts::PRINCIPAL).then(|| request.principal.clone()).flatten(),
        facts: has(manifest, RequestParts::FACTS).then(|| request.facts.clone()).flatten(),
    })
}

/// As the host reads it, except for its refusals of characters beyond ASCII.
fn canonical(path: &str) -> Result<Cow<'_, str>, Denial> {
    barmkin_path::normalize(path).map_err(|fault| match fault {
        Fault::Malformed => Denial::new(400, "malformed-target"),
        Fault::Ambiguous => Denial::new(400, "ambiguous-path"),
    })
}

fn has(manifest: &Manifest, part: RequestParts) -> bool {
    (manifest.parts & part) == part
}

fn fields(declared: &[NamedInput], present: &[(String, String)], duplicate: &str) -> Result<Vec<Field>, Denial> {
    declared
        .iter()
        .map(|NamedInput { name, cardinality }| {
            let mut values: Vec<_> =
                present.iter().filter(|(present, _)| present == name).map(|(_, value)| value.clone()).collect();
            match (values.len(), cardinality) {
                (0, _) => Ok(Field::Absent),
                (_, Cardinality::Many) => Ok(Field::Many(values)),
                (1, Cardinality::AtMostOne) => Ok(values.pop().map_or(Field::Absent, Field::One)),
                (_, Cardinality::AtMostOne) => Err(Denial::new(400, duplicate)),
            }
        })
        .collect()
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn body(need: &BodyInput, body: &[u8]) -> Result<Body, Denial> {
    match need {
        BodyInput::None | BodyInput::OnHost => Ok(Body::None),
        BodyInput::Digests(algorithms) => Ok(Body::Digests(
            algorithms
                .iter()
                .map(|algorithm| match algorithm {
                    DigestAlgorithm::Sha256 => sha2::Sha256::digest(body).to_vec(),
                    DigestAlgorithm::Sha512 => sha2::Sha512::digest(body).to_vec(),
                })
                .collect(),
        )),
        BodyInput::Bytes(bytes_max) if body.len() > *bytes_max as usize => Err(Denial::new(413, "body-too-large")),
        BodyInput::Bytes(_) => Ok(Body::Bytes(body.to_vec())),
    }
}
