//! The names of the keys.

use barmkin_host::{Draw, NonceId, QuotaRule};
use sha2::{Digest, Sha256};

/// The key of a nonce. A delivery is on the same node as what it was called in
/// release 0.1.0.
pub(crate) fn nonce(prefix: &str, nonce: &NonceId) -> String {
    match &nonce.former {
        None => former(prefix, nonce, &nonce.digest),
        Some(tag) => format!("{}:{}", former(prefix, nonce, tag), hex::encode(nonce.digest)),
    }
}

/// The key that release 0.1.0 has for the nonce.
pub(crate) fn former(prefix: &str, nonce: &NonceId, digest: &[u8; 32]) -> String {
    format!("{prefix}:n:{{{}}}:{}", hex::encode(digest), nonce.space)
}

/// The pattern of the keys of a space's nonces.
pub(crate) fn pattern(prefix: &str, space: &str) -> String {
    format!("{}:n:{{*}}:{}*", literal(prefix), literal(space))
}

/// The pattern of the key of a delivery, whatever release 0.1.0 calls it.
pub(crate) fn pattern_of(prefix: &str, space: &str, digest: &[u8; 32]) -> String {
    format!("{}:n:{{*}}:{}:{}", literal(prefix), literal(space), hex::encode(digest))
}

/// The digest of the nonce of `space` that has this key.
pub(crate) fn digest_of(prefix: &str, space: &str, key: &str) -> Option<[u8; 32]> {
    let (tag, rest) = key.strip_prefix(prefix)?.strip_prefix(":n:{")?.split_once("}:")?;
    let digest = match rest.strip_prefix(space)? {
        "" => tag,
        digest => digest.strip_prefix(':')?,
    };
    hex::decode(digest).ok()?.try_into().ok()
}

/// `text` where a pattern is wanted.
fn literal(text: &str) -> String {
    let escape = |char| if "*?[]^-\\".contains(char) { vec!['\\', char] } else { vec![char] };
    text.chars().flat_map(escape).collect()
}

/// The common part of the keys of a subject's quotas. Subjects are hashed: they
/// may be long, and name people.
pub(crate) fn subject(prefix: &str, subject: &str) -> String {
    let digest = Sha256::digest(subject.as_bytes());
    let (half, _) = digest.split_at(16);
    format!("{prefix}:q:{{{}}}", hex::encode(half))
}

/// The keys of a quota: its tally, and the sum of the takes in it. A quota that
/// counts in another way than before starts from scratch, under another key.
pub(crate) fn quota(subject: &str, draw: &Draw) -> [String; 2] {
    let tally = format!("{subject}:{}:{}", kind(&draw.rule), draw.quota);
    let sum = format!("{tally}:sum");
    [tally, sum]
}

/// The scripts' name for a rule.
pub(crate) fn kind(rule: &QuotaRule) -> &'static str {
    match rule {
        QuotaRule::Gcra(_) => "rate",
        QuotaRule::FixedWindow(_) => "fixed",
        QuotaRule::SlidingWindow(_) => "sliding",
        QuotaRule::Concurrency(_) => "at-once",
    }
}
