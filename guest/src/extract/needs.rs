use crate::rule::Problems;
use crate::types::{BodyInput, Cardinality, KeyNeed, Manifest, NamedInput, RequestParts, SettingProblem};

/// The needs of a policy, as its extractors declare them.
#[derive(Debug)]
pub struct Needs {
    manifest: Manifest,
    problems: Problems,
}

impl Needs {
    pub(crate) fn new(sets: Vec<String>, vouches: bool) -> Self {
        let manifest = Manifest {
            parts: RequestParts::empty(),
            headers: Vec::new(),
            query_parameters: Vec::new(),
            body: BodyInput::None,
            keys: Vec::new(),
            nonces: Vec::new(),
            quotas: Vec::new(),
            sets,
            vouches,
        };
        Self { manifest, problems: Problems::new() }
    }

    pub(crate) fn into_manifest(self) -> Result<Manifest, Vec<SettingProblem>> {
        self.problems.or(self.manifest).map_err(Problems::into_vec)
    }

    /// Declares parts of the request that have a name in the contract.
    pub fn part(&mut self, part: RequestParts) {
        self.manifest.parts = self.manifest.parts | part;
    }

    /// Declares a header. The name is lower case.
    pub fn header(&mut self, name: &str, cardinality: Cardinality) {
        self.manifest.headers.push(NamedInput { name: name.to_owned(), cardinality });
    }

    /// Declares a query parameter, by its decoded name.
    pub fn query_parameter(&mut self, name: &str, cardinality: Cardinality) {
        self.manifest.query_parameters.push(NamedInput { name: name.to_owned(), cardinality });
    }

    /// Declares a need of the body. Of several the strongest counts: a body
    /// of which digests or bytes cross is on the host too.
    pub fn body(&mut self, need: BodyInput) {
        let declared = core::mem::replace(&mut self.manifest.body, BodyInput::None);
        self.manifest.body = match (declared, need) {
            (BodyInput::None, need) | (need, BodyInput::None) => need,
            (BodyInput::OnHost, need) | (need, BodyInput::OnHost) => need,
            (BodyInput::Bytes(one), BodyInput::Bytes(other)) => BodyInput::Bytes(one.max(other)),
            (BodyInput::Digests(mut all), BodyInput::Digests(more)) => {
                all.extend(more);
                BodyInput::Digests(all)
            }
            (kept @ BodyInput::Bytes(_), BodyInput::Digests(_))
            | (kept @ BodyInput::Digests(_), BodyInput::Bytes(_)) => {
                self.problems.add(
                    "",
                    "the policy declares both bytes and digests of the body",
                    "the policy's author must choose one",
                );
                kept
            }
        };
    }

    /// Declares a key, under the policy's name for it.
    pub fn key(&mut self, need: KeyNeed) {
        self.manifest.keys.push(need);
    }

    /// Declares a nonce space, under the policy's name for it.
    pub fn nonces(&mut self, name: &str) {
        self.manifest.nonces.push(name.to_owned());
    }

    /// Declares a quota, under the policy's name for it.
    pub fn quota(&mut self, name: &str) {
        self.manifest.quotas.push(name.to_owned());
    }
}
