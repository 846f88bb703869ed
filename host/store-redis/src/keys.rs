//! The names of the keys.

use barmkin_host::{Draw, NonceId, QuotaRule};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Keys by which a cluster is found to have lost something: one in each run of 128
/// slots, so that each master that has a run of 255 has one, in a cluster of 64
/// masters alike.
const SINCE_MAX: u16 = 128;

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

/// The keys that say since when the servers remember.
pub(crate) fn since(prefix: &str, is_cluster: bool) -> Vec<String> {
    if !is_cluster {
        return vec![format!("{prefix}:since")];
    }
    let mut keys = BTreeMap::new();
    let mut tags = 0_u64..;
    while keys.len() < usize::from(SINCE_MAX) {
        let Some(tag) = tags.next() else { break };
        let slot = slot(tag.to_string().as_bytes());
        keys.entry(slot / (SLOTS / SINCE_MAX)).or_insert_with(|| format!("{prefix}:since:{{{tag}}}"));
    }
    keys.into_values().collect()
}

/// The slot of the keys that have this between braces: CRC-16/XMODEM of it.
fn slot(tag: &[u8]) -> u16 {
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` answers.
    #[test]
    fn slots_are_those_of_the_server() {
        for (tag, expected) in [("123456789", 12739), ("foo", 12182), ("bar", 5061), ("user1000", 3443), ("", 0)] {
            assert_eq!(slot(tag.as_bytes()), expected, "{tag}");
        }
    }

    #[test]
    fn a_run_of_255_slots_has_a_key_that_says_since_when() {
        let keys = since("barmkin", true);
        let tag = |key: &String| key.split_once('{').unwrap().1.trim_end_matches('}').to_owned();
        let mut slots: Vec<_> = keys.iter().map(|key| slot(tag(key).as_bytes())).collect();
        slots.sort_unstable();
        let ends = [slots[0] + 1, SLOTS - slots[slots.len() - 1]];
        let between = slots.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(between.chain(ends).max().unwrap() <= 255, "{slots:?}");
    }
}
