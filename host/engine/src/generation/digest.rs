//! Names a generation by everything that makes it decide as it does.

use crate::generation::spec::Spec;
use crate::policy::Policy;
use crate::verdict::Digest;
use sha2::{Digest as _, Sha256};

impl Spec {
    /// Names this configuration: SHA-256 over the components, settings,
    /// grants, nonce spaces, quotas and routes. Keys are not part of it.
    ///
    /// Releases may differ in it: what is pinned by it is pinned for one.
    pub fn digest(&self) -> Digest {
        let mut parts = Parts::default();
        for (name, policy) in &self.policies {
            parts.add("policy", name);
            parts.add("component", &hex::encode(Sha256::digest(&policy.component)));
            parts.add("settings", &policy.settings.to_string());
            parts.add(
                "limits",
                &format!("{:?} {:?} {:?} {}", policy.grants, policy.on_error, policy.deadline, policy.memory_bytes),
            );
        }
        parts.add("nonces", &format!("{:?}", self.nonces));
        parts.add("quotas", &format!("{:?}", self.quotas));
        parts.add("routes", &format!("{:?}", self.routes));
        parts.add("answers", &format!("{:?} {:?}", self.principal_field, self.documentation));
        parts.finish()
    }
}

/// The configuration, and the ids of the secrets that each policy can use:
/// never the secrets.
pub(super) fn digest(configuration: Digest, policies: &[Policy]) -> Digest {
    let mut parts = Parts::default();
    parts.add("configuration", &configuration.to_string());
    for policy in policies {
        parts.add("secrets", &policy.secret_ids().join(" "));
    }
    parts.finish()
}

/// Parts that cannot run into one another.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, label: &str, text: &str) {
        for part in [label, text] {
            self.0.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}
