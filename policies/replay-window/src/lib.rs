//! The stock policy `replay-window`: each verified delivery once, and not too
//! late.
//!
//! It works from what an earlier policy verified and from nothing else: the
//! signing time among the facts, and the delivery that the host remembers.

mod rule;

use barmkin_guest::prelude::*;

use rule::Window;

name!(
    /// Where deliveries are claimed.
    pub Deliveries = "deliveries"
);

/// The settings.
#[policy]
pub struct ReplayWindow {
    /// How long after its signing a delivery is taken.
    #[serde(default = "Window::default_length")]
    window: Duration,
}

impl Rule for ReplayWindow {
    type Input<'a> = (Now, Option<&'a Facts>, Nonces<'a, Deliveries>);

    fn check(&self, (now, facts, deliveries): Self::Input<'_>) -> Decision {
        let window = Window::of(self.window);
        let signed_at = facts.and_then(|facts| facts.signed_at_unix_ms);
        if !window.holds(signed_at, now.unix_ms()) {
            return deny(403, "stale-delivery").detail(format!("it was not signed within {} of now", self.window));
        }
        let valid_until = window.valid_until_unix_ms(signed_at, now.unix_ms());
        match deliveries.claim_delivery(valid_until) {
            Claim::FirstUse => abstain(),
            Claim::InProgress => deny(503, "in-progress").header("retry-after", "1"),
            Claim::Replayed => rule::duplicate(deliveries.on_duplicate()),
            Claim::Unidentified => {
                deny(403, "unidentified-delivery").detail("nothing that deliveries are told apart by was verified")
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
