//! The stock policy `rate-quota`: how much a caller may ask for.
//!
//! It takes from the quota that the operator grants as `quota`. Whom a unit is
//! counted against is the quota's own setting, not the policy's.

mod reason;
mod rule;

use barmkin_guest::prelude::*;

use reason::{REASONS, UNIDENTIFIED_CALLER};

name!(
    /// The quota to take from.
    pub Units = "quota"
);

/// Lets a caller do as much as its quota has left: what it takes from is the quota that
/// is granted as `quota`. Whom a unit is counted against, how many there are, and when
/// one comes back, are settings of the quota.
#[policy(reasons = REASONS, example = "../example.toml")]
pub struct RateQuota {
    /// Units that a request costs. Defaults to 1.
    #[serde(default = "one")]
    cost: u32,
}

fn one() -> u32 {
    1
}

impl Rule for RateQuota {
    type Input<'a> = Quota<'a, Units>;

    fn check(&self, quota: Quota<'_, Units>) -> Decision {
        match quota.take(self.cost) {
            Outcome::Admitted => abstain(),
            Outcome::Refused => rule::over_quota(&rule::Standing {
                limit: quota.limit(),
                remaining: quota.remaining(),
                reset_after_ms: quota.reset_after_ms(),
                retry_after_ms: quota.retry_after_ms(),
            }),
            Outcome::Unidentified => {
                UNIDENTIFIED_CALLER.deny().detail("the request lacks what the quota is counted by")
            }
        }
    }

    fn validate(&self) -> Result<(), Problems> {
        if self.cost == 0 {
            return Err(Problems::one("cost", "a request that costs 0 takes nothing", "leave it out for a cost of 1"));
        }
        Ok(())
    }
}
