//! The answer to a caller over its quota.

use barmkin_guest::types::Decision;

use crate::reason::OVER_QUOTA;

/// Where a caller stands with its quota.
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset_after_ms: u64,
    /// 0 when waiting does not help: the cost is above the limit.
    pub(crate) retry_after_ms: u64,
}

/// Denies with `retry-after` (RFC 9110, section 10.2.3) and the three
/// `x-ratelimit` fields that clients of many APIs already read.
///
/// The IETF's `ratelimit` and `ratelimit-policy` fields
/// (draft-ietf-httpapi-ratelimit-headers) name a quota and its window, neither
/// of which a policy learns; and a draft's fields may still change.
pub(crate) fn over_quota(standing: &Standing) -> Decision {
    let refusal = OVER_QUOTA
        .deny()
        .header("x-ratelimit-limit", standing.limit.to_string())
        .header("x-ratelimit-remaining", standing.remaining.to_string())
        .header("x-ratelimit-reset", whole_seconds(standing.reset_after_ms).to_string());
    if standing.retry_after_ms == 0 {
        return refusal.detail("the cost is more than can be taken at once");
    }
    refusal.header("retry-after", whole_seconds(standing.retry_after_ms).to_string())
}

/// Rounded up, and at least 1: a client that comes back early is refused again.
fn whole_seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000).max(1)
}
