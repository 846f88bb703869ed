//! What the keys are called.

use barmkin_host::{Draw, NonceId, QuotaRule};
use sha2::{Digest, Sha256};

/// The key of a nonce.
pub(crate) fn nonce(prefix: &str, nonce: &NonceId) -> String {
    format!("{prefix}:n:{{{}}}:{}", hex::encode(nonce.digest), nonce.space)
}

/// What the keys of a subject's quotas have in common. Subjects are hashed:
/// they may be long, and name people.
pub(crate) fn subject(prefix: &str, subject: &str) -> String {
    let digest = Sha256::digest(subject.as_bytes());
    let (half, _) = digest.split_at(16);
    format!("{prefix}:q:{{{}}}", hex::encode(half))
}

/// The keys of a quota: its tally, and the sum of what that remembers. A quota
/// that counts otherwise than before begins anew, under another key.
pub(crate) fn quota(subject: &str, draw: &Draw) -> [String; 2] {
    let tally = format!("{subject}:{}:{}", kind(&draw.rule), draw.quota);
    let sum = format!("{tally}:sum");
    [tally, sum]
}

/// What the scripts call a rule.
pub(crate) fn kind(rule: &QuotaRule) -> &'static str {
    match rule {
        QuotaRule::Gcra(_) => "rate",
        QuotaRule::FixedWindow(_) => "fixed",
        QuotaRule::SlidingWindow(_) => "sliding",
        QuotaRule::Concurrency(_) => "at-once",
    }
}
