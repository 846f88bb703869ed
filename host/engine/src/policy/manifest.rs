//! The declarations of a policy, checked against its grants.

use crate::generation::error::Problem;
use crate::generation::fields::is_reserved;
use crate::generation::shares::Shares;
use crate::generation::spec::{Grants, Spec};
use crate::keys::{Algorithm, KeySource};
use crate::limits::{BODY_BYTES_MAX, GRANTED_QUOTAS_MAX, MANIFEST_ITEMS_MAX};
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::capabilities;
use crate::policy::sandbox::{Granted, GrantedQuotas};
use crate::store::{Draw, Pot};
use http::HeaderName;
use std::collections::{BTreeMap, BTreeSet};

/// Everything a policy will use.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    pub(super) parts: wire::RequestParts,
    pub(super) headers: Vec<NamedInput<HeaderName>>,
    pub(super) query_parameters: Vec<NamedInput<String>>,
    pub(super) body: BodyInput,
    pub(super) keys: Vec<(String, Vec<Algorithm>)>,
    pub(super) nonces: Vec<String>,
    pub(super) quotas: Vec<String>,
    pub(super) sets: Vec<HeaderName>,
    pub(super) vouches: bool,
}

/// A named input, and whether it may come more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedInput<N> {
    /// The name.
    pub name: N,
    /// Whether every occurrence crosses; otherwise a second one is refused.
    pub many: bool,
}

/// The part of the body that a policy needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyInput {
    /// Nothing.
    #[default]
    None,
    /// The host reads it.
    OnHost,
    /// Digests cross, in this order.
    Digests(Vec<DigestAlgorithm>),
    /// The bytes cross, up to this many.
    Bytes(usize),
}

/// A hash function over the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha512,
}

impl DigestAlgorithm {
    /// Its name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl From<wire::DigestAlgorithm> for DigestAlgorithm {
    fn from(algorithm: wire::DigestAlgorithm) -> Self {
        match algorithm {
            wire::DigestAlgorithm::Sha256 => Self::Sha256,
            wire::DigestAlgorithm::Sha512 => Self::Sha512,
        }
    }
}

const PARTS: [(wire::RequestParts, &str); 10] = [
    (wire::RequestParts::METHOD, "method"),
    (wire::RequestParts::SCHEME, "scheme"),
    (wire::RequestParts::AUTHORITY, "authority"),
    (wire::RequestParts::PATH, "path"),
    (wire::RequestParts::QUERY, "query"),
    (wire::RequestParts::TARGET, "target"),
    (wire::RequestParts::CLIENT_ADDRESS, "client-address"),
    (wire::RequestParts::ROUTE, "route"),
    (wire::RequestParts::PRINCIPAL, "principal"),
    (wire::RequestParts::FACTS, "facts"),
];

impl Manifest {
    pub(super) fn read(manifest: wire::Manifest) -> Result<Self, Problem> {
        let refuse = |problem: String| Err(Problem::Manifest(problem));
        let counts = [
            manifest.headers.len(),
            manifest.query_parameters.len(),
            manifest.keys.len(),
            manifest.nonces.len(),
            manifest.quotas.len(),
            manifest.sets.len(),
        ];
        if let Some(count) = counts.into_iter().find(|count| *count > MANIFEST_ITEMS_MAX) {
            return refuse(format!("it lists {count} items of one kind, but may list {MANIFEST_ITEMS_MAX}"));
        }
        let body = match manifest.body {
            wire::BodyInput::None => BodyInput::None,
            wire::BodyInput::OnHost => BodyInput::OnHost,
            wire::BodyInput::Digests(digests) => {
                BodyInput::Digests(digests.into_iter().map(DigestAlgorithm::from).collect())
            }
            wire::BodyInput::Bytes(max) if max as usize > BODY_BYTES_MAX => {
                return refuse(format!("it takes bodies of {max} bytes, but may take {BODY_BYTES_MAX}"));
            }
            wire::BodyInput::Bytes(max) => BodyInput::Bytes(max as usize),
        };
        let field = |name: &String| {
            HeaderName::from_lowercase(name.as_bytes())
                .map_err(|_| Problem::Manifest(format!("`{name}` is not a field name in lower case")))
        };
        let many = |cardinality| cardinality == wire::Cardinality::Many;
        let manifest = Self {
            parts: manifest.parts,
            headers: manifest
                .headers
                .iter()
                .map(|input| Ok(NamedInput { name: field(&input.name)?, many: many(input.cardinality) }))
                .collect::<Result<_, Problem>>()?,
            query_parameters: manifest
                .query_parameters
                .into_iter()
                .map(|input| NamedInput { name: input.name, many: many(input.cardinality) })
                .collect(),
            body,
            keys: manifest
                .keys
                .into_iter()
                .map(|need| (need.name, need.algorithms.into_iter().map(capabilities::keys::algorithm).collect()))
                .collect(),
            nonces: manifest.nonces,
            quotas: manifest.quotas,
            sets: manifest.sets.iter().map(field).collect::<Result<_, _>>()?,
            vouches: manifest.vouches,
        };
        manifest.check_names()?;
        Ok(manifest)
    }

    /// Refuses what is declared twice: of two declarations of one thing
    /// neither says what holds.
    fn check_names(&self) -> Result<(), Problem> {
        let digests: &[DigestAlgorithm] = match &self.body {
            BodyInput::Digests(digests) => digests,
            _ => &[],
        };
        let twice = first_twice(self.headers.iter().map(|input| &input.name))
            .map(|name| format!("header `{name}`"))
            .or_else(|| {
                first_twice(self.query_parameters.iter().map(|input| &input.name))
                    .map(|name| format!("query parameter `{name}`"))
            })
            .or_else(|| first_twice(digests).map(|digest| format!("digest `{}`", digest.as_str())))
            .or_else(|| first_twice(self.keys.iter().map(|(name, _)| name)).map(|name| format!("key `{name}`")))
            .or_else(|| first_twice(&self.nonces).map(|name| format!("nonce space `{name}`")))
            .or_else(|| first_twice(&self.quotas).map(|name| format!("quota `{name}`")))
            .or_else(|| first_twice(&self.sets).map(|name| format!("field `{name}` to set")));
        twice.map_or(Ok(()), |twice| Err(Problem::Manifest(format!("it declares {twice} twice"))))
    }

    /// The header fields it reads.
    pub fn headers(&self) -> &[NamedInput<HeaderName>] {
        &self.headers
    }

    /// The parts of the request that it reads besides the named ones, as the
    /// contract calls them.
    pub fn parts(&self) -> impl Iterator<Item = &'static str> {
        PARTS.into_iter().filter(|(part, _)| self.parts.contains(*part)).map(|(_, name)| name)
    }

    /// The query parameters it reads.
    pub fn query_parameters(&self) -> &[NamedInput<String>] {
        &self.query_parameters
    }

    /// Whether it looks at the method.
    pub(crate) fn reads_method(&self) -> bool {
        self.parts.contains(wire::RequestParts::METHOD)
    }

    /// Whether it looks at the path.
    pub(crate) fn reads_path(&self) -> bool {
        self.parts.intersects(wire::RequestParts::PATH | wire::RequestParts::TARGET)
    }

    /// The part of the body that it needs.
    pub fn body(&self) -> &BodyInput {
        &self.body
    }

    /// Names of the keys it uses, and the algorithms each can have.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &[Algorithm])> {
        self.keys.iter().map(|(name, algorithms)| (name.as_str(), algorithms.as_slice()))
    }

    /// Names of the nonce spaces it uses.
    pub fn nonces(&self) -> &[String] {
        &self.nonces
    }

    /// Names of the quotas it uses.
    pub fn quotas(&self) -> &[String] {
        &self.quotas
    }

    /// Fields it may set.
    pub fn sets(&self) -> &[HeaderName] {
        &self.sets
    }

    /// Whether it vouches.
    pub fn vouches(&self) -> bool {
        self.vouches
    }

    /// Gives it what it asks for, as far as it was granted.
    pub(super) fn grant(
        &self,
        grants: &Grants,
        spec: &Spec,
        shares: Shares,
        keys: &dyn KeySource,
    ) -> Result<Granted, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut granted = Granted { body: self.body != BodyInput::None, ..Granted::default() };
        for (need, algorithms) in &self.keys {
            let bound = bind("key", need, &grants.keys);
            match bound.and_then(|name| Ok((name.as_str().into(), key(name, need, algorithms, keys)?))) {
                Ok(key) => granted.keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        for need in &self.nonces {
            match bind("nonce space", need, &grants.nonces).and_then(|name| find("nonce space", name, &spec.nonces)) {
                Ok((name, space)) => {
                    let pot = Pot::new(name.as_str(), space.entries_max.or(shares.nonces));
                    granted.nonces.push((pot, space.clone()));
                }
                Err(problem) => problems.push(problem),
            }
        }
        for need in &self.quotas {
            match bind("quota", need, &grants.quotas).and_then(|names| quotas(names, spec, shares)) {
                Ok(quotas) => granted.quotas.push(quotas),
                Err(problem) => problems.push(problem),
            }
        }
        for field in &self.sets {
            if is_reserved(field) {
                problems.push(Problem::ForbiddenField(field.to_string()));
            } else if !grants.sets.contains(field) {
                problems.push(Problem::NotGranted { kind: "field", name: field.to_string() });
            }
        }
        match (self.vouches, grants.vouch) {
            (true, false) => problems.push(Problem::VouchNotGranted),
            (false, true) => problems.push(Problem::UnusedVouch),
            _ => {}
        }
        let sets_unused = grants.sets.iter().filter(|field| !self.sets.contains(field));
        problems.extend(sets_unused.map(|field| Problem::UnusedGrant { kind: "field", name: field.to_string() }));
        let reads = |name: &&String| self.query_parameters.iter().any(|input| input.name == **name);
        let queries_unused = grants.removes_query.iter().filter(|name| !reads(name));
        problems
            .extend(queries_unused.map(|name| Problem::UnusedGrant { kind: "query parameter", name: name.clone() }));
        let keys_used = self.keys.iter().map(|(name, _)| name.as_str()).collect();
        problems.extend(unused("key", &grants.keys, &keys_used));
        problems.extend(unused("nonce space", &grants.nonces, &self.nonces.iter().map(String::as_str).collect()));
        problems.extend(unused("quota", &grants.quotas, &self.quotas.iter().map(String::as_str).collect()));
        if problems.is_empty() { Ok(granted) } else { Err(problems) }
    }
}

/// The first of `items` that was there before.
fn first_twice<'a, T: PartialEq + 'a>(items: impl IntoIterator<Item = &'a T>) -> Option<&'a T> {
    let mut seen: Vec<&T> = Vec::new();
    items.into_iter().find(|item| {
        let is_twice = seen.contains(item);
        seen.push(item);
        is_twice
    })
}

fn bind<'a, T>(kind: &'static str, need: &str, grants: &'a BTreeMap<String, T>) -> Result<&'a T, Problem> {
    grants.get(need).ok_or_else(|| Problem::NotGranted { kind, name: need.to_owned() })
}

fn find<'a, T>(kind: &'static str, name: &str, all: &'a BTreeMap<String, T>) -> Result<(&'a String, &'a T), Problem> {
    all.get_key_value(name).ok_or_else(|| Problem::Unknown { kind, name: name.to_owned() })
}

/// The quotas that are granted under one name. A store keeps what is counted
/// against one subject in one place, and can take from all of them in one step
/// only there.
fn quotas(names: &[String], spec: &Spec, shares: Shares) -> Result<GrantedQuotas, Problem> {
    if !(1..=GRANTED_QUOTAS_MAX).contains(&names.len()) {
        return Err(Problem::GrantedQuotas(format!("are {}, but must be from 1 to {GRANTED_QUOTAS_MAX}", names.len())));
    }
    let mut granted: Option<GrantedQuotas> = None;
    for name in names {
        let (name, quota) = find("quota", name, &spec.quotas)?;
        let granted = granted.get_or_insert_with(|| GrantedQuotas { key: quota.key, draws: vec![], keeps: vec![] });
        if granted.key != quota.key {
            return Err(Problem::GrantedQuotas(format!("count by different keys: `{name}` by another than the first")));
        }
        if granted.draws.iter().any(|draw| *draw.quota == **name) {
            return Err(Problem::GrantedQuotas(format!("have `{name}` twice")));
        }
        let pot = Pot::new(name.as_str(), quota.entries_max.or(shares.quotas));
        granted.draws.push(Draw { quota: pot, rule: quota.rule });
        granted.keeps.push(quota.keep);
    }
    granted.ok_or_else(|| Problem::GrantedQuotas("are none".to_owned()))
}

fn key(name: &str, need: &str, accepted: &[Algorithm], keys: &dyn KeySource) -> Result<crate::keys::Key, Problem> {
    let key = keys.key(name)?;
    if accepted.contains(&key.algorithm()) {
        return Ok(key);
    }
    let accepted: Vec<_> = accepted.iter().map(|algorithm| algorithm.as_str()).collect();
    Err(Problem::WrongAlgorithm {
        key: name.to_owned(),
        algorithm: key.algorithm(),
        need: need.to_owned(),
        accepted: accepted.join(" or "),
    })
}

fn unused<T>(kind: &'static str, grants: &BTreeMap<String, T>, used: &BTreeSet<&str>) -> Vec<Problem> {
    let unused = grants.keys().filter(|name| !used.contains(name.as_str()));
    unused.map(|name| Problem::UnusedGrant { kind, name: name.clone() }).collect()
}
