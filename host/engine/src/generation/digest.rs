//! Names a generation by everything that makes it decide as it does.

use crate::generation::spec::Spec;
use crate::policy::Policy;
use crate::verdict::Digest;
use sha2::{Digest as _, Sha256};

/// SHA-256 over the components, settings, grants, ids of secrets, nonce
/// spaces, quotas and routes: never over secrets.
pub(super) fn digest(spec: &Spec, policies: &[Policy]) -> Digest {
    let mut digest = Sha256::new();
    let mut add = |label: &str, text: &str| {
        for part in [label, text] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part);
        }
    };
    for (name, policy) in &spec.policies {
        add("policy", name);
        add("component", &hex::encode(Sha256::digest(&policy.component)));
        add("settings", &policy.settings.to_string());
        add(
            "limits",
            &format!("{:?} {:?} {:?} {}", policy.grants, policy.on_error, policy.deadline, policy.memory_bytes),
        );
    }
    for policy in policies {
        add("secrets", &policy.secret_ids().join(" "));
    }
    add("nonces", &format!("{:?}", spec.nonces));
    add("quotas", &format!("{:?}", spec.quotas));
    add("routes", &format!("{:?}", spec.routes));
    add("answers", &format!("{:?} {:?}", spec.principal_field, spec.documentation));
    Digest(digest.finalize().into())
}
