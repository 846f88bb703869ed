//! The stock policy `replay-window`: each verified delivery once, and not too
//! late.
//!
//! It works from what an earlier policy verified and from nothing else: the
//! signing time among the facts, and the delivery that the host remembers.

mod reason;
mod rule;

use barmkin_guest::prelude::*;

use reason::{IN_PROGRESS, REASONS, STALE_DELIVERY, UNIDENTIFIED_DELIVERY};
use rule::Window;

name!(
    /// Where deliveries are claimed.
    pub Deliveries = "deliveries"
);

/// Lets each verified delivery in once, and not too late. It stands behind the policy
/// that verifies, and claims in the nonce space that is granted as `deliveries`.
///
/// The treatment of a repeated delivery, and when one counts as used, are
/// settings of the nonce space: `on-duplicate` is `acknowledge` (it is answered with
/// 200, and not forwarded), `deny` or `mark` (it is forwarded, with the field
/// `barmkin-duplicate: ?1`); `keep` is `on-success` (used when the upstream took it),
/// `on-allow` (used when it was let in) or `always`. What each of them loses is in
/// `docs/deliveries.md`.
#[policy(reasons = REASONS, example = "../example.toml")]
pub struct ReplayWindow {
    /// How long after its signing a delivery is taken, from 10s to 7d. Defaults to 10m.
    #[serde(default = "Window::default_length")]
    window: Duration,
}

impl Rule for ReplayWindow {
    type Input<'a> = (Now, Option<&'a Facts>, Nonces<'a, Deliveries>);

    fn check(&self, (now, facts, deliveries): Self::Input<'_>) -> Decision {
        let window = Window::of(self.window);
        let signed_at = facts.and_then(|facts| facts.signed_at_unix_ms);
        if !window.holds(signed_at, now.unix_ms()) {
            return STALE_DELIVERY.deny().detail(format!("it was not signed within {} of now", self.window));
        }
        let valid_until = window.valid_until_unix_ms(signed_at, now.unix_ms());
        match deliveries.claim_delivery(valid_until) {
            Claim::FirstUse => abstain(),
            Claim::InProgress => IN_PROGRESS.deny().header("retry-after", "1"),
            Claim::Replayed => rule::duplicate(deliveries.on_duplicate()),
            Claim::Unidentified => {
                UNIDENTIFIED_DELIVERY.deny().detail("nothing that deliveries are told apart by was verified")
            }
        }
    }

    fn sets(&self) -> Vec<String> {
        vec![rule::MARK.to_owned()]
    }

    fn validate(&self) -> Result<(), Problems> {
        rule::judge(self.window)
    }
}
