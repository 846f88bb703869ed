//! A manifest as it is written into the cache.

use crate::keys::Algorithm;
use crate::policy::bindings::barmkin::policy::types::RequestParts;
use crate::policy::manifest::{BodyInput, DigestAlgorithm, Manifest, NamedInput};
use http::HeaderName;
use serde::{Deserialize, Serialize};

/// Bits of `parts`, in the order of the contract: never to be changed.
const PARTS: [RequestParts; 10] = [
    RequestParts::METHOD,
    RequestParts::SCHEME,
    RequestParts::AUTHORITY,
    RequestParts::PATH,
    RequestParts::QUERY,
    RequestParts::TARGET,
    RequestParts::CLIENT_ADDRESS,
    RequestParts::ROUTE,
    RequestParts::PRINCIPAL,
    RequestParts::FACTS,
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    parts: u16,
    /// Names, and whether each may come more than once.
    headers: Vec<(String, bool)>,
    query_parameters: Vec<(String, bool)>,
    body: Body,
    keys: Vec<(String, Vec<String>)>,
    nonces: Vec<String>,
    quotas: Vec<String>,
    sets: Vec<String>,
    vouches: bool,
}

#[derive(Serialize, Deserialize)]
enum Body {
    None,
    OnHost,
    /// Of each whether it has 512 bits, not 256.
    Digests(Vec<bool>),
    Bytes(usize),
}

impl From<&Manifest> for Written {
    fn from(manifest: &Manifest) -> Self {
        let bit = |(index, part): (usize, &RequestParts)| u16::from(manifest.parts.contains(*part)) << index;
        Self {
            parts: PARTS.iter().enumerate().map(bit).sum(),
            headers: manifest.headers.iter().map(|input| (input.name.to_string(), input.many)).collect(),
            query_parameters: manifest.query_parameters.iter().map(|input| (input.name.clone(), input.many)).collect(),
            body: match &manifest.body {
                BodyInput::None => Body::None,
                BodyInput::OnHost => Body::OnHost,
                BodyInput::Digests(digests) => {
                    Body::Digests(digests.iter().map(|digest| *digest == DigestAlgorithm::Sha512).collect())
                }
                BodyInput::Bytes(bytes_max) => Body::Bytes(*bytes_max),
            },
            keys: manifest
                .keys()
                .map(|(need, algorithms)| (need.to_owned(), algorithms.iter().map(ToString::to_string).collect()))
                .collect(),
            nonces: manifest.nonces().to_vec(),
            quotas: manifest.quotas().to_vec(),
            sets: manifest.sets().iter().map(ToString::to_string).collect(),
            vouches: manifest.vouches(),
        }
    }
}

impl Written {
    /// The manifest, if every name in it is one that this host knows.
    pub(super) fn into_manifest(self) -> Option<Manifest> {
        let named = |(bit, part): (usize, &RequestParts)| (self.parts & (1 << bit) != 0).then_some(*part);
        let field = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        let key = |(need, algorithms): (String, Vec<String>)| {
            let known = |name: &String| Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
            Some((need, algorithms.iter().map(known).collect::<Option<_>>()?))
        };
        Some(Manifest {
            parts: PARTS.iter().enumerate().filter_map(named).fold(RequestParts::empty(), |all, part| all | part),
            headers: self
                .headers
                .iter()
                .map(|(name, many)| Some(NamedInput { name: field(name)?, many: *many }))
                .collect::<Option<_>>()?,
            query_parameters: self.query_parameters.into_iter().map(|(name, many)| NamedInput { name, many }).collect(),
            body: match self.body {
                Body::None => BodyInput::None,
                Body::OnHost => BodyInput::OnHost,
                Body::Digests(digests) => {
                    let digest = |long: bool| if long { DigestAlgorithm::Sha512 } else { DigestAlgorithm::Sha256 };
                    BodyInput::Digests(digests.into_iter().map(digest).collect())
                }
                Body::Bytes(bytes_max) => BodyInput::Bytes(bytes_max),
            },
            keys: self.keys.into_iter().map(key).collect::<Option<_>>()?,
            nonces: self.nonces,
            quotas: self.quotas,
            sets: self.sets.iter().map(field).collect::<Option<_>>()?,
            vouches: self.vouches,
        })
    }
}
