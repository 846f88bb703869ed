//! Effects follow the verdict.
//!
//! An effect is in the store before the verdict. One that must not stay is given
//! back, even if the request goes away while a remote store is awaited: a call
//! that was begun goes on to its end. A lost give-back leaves an effect used; a
//! delivery is free again when its lease ends.

mod enduring;
mod journal;
mod settlement;

pub(crate) use journal::Journal;
pub use settlement::Settlement;

use crate::generation::spec::{Keep, SuccessStatuses};
use crate::store::{Draw, Hold, Holder, Lapse, NonceId};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// On what terms a nonce is claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) keep: Keep,
    /// The fate of the claim when its holder is gone.
    pub(crate) lapse: Lapse,
    /// The answers of the upstream that use the claim.
    pub(crate) success: SuccessStatuses,
}

impl Terms {
    /// An effect that is always kept has no holder.
    fn hold(&self, holder: Holder) -> Option<Hold> {
        (self.keep != Keep::Always).then_some(Hold { holder, lapse: self.lapse })
    }
}

/// Something a policy did to a store.
#[derive(Debug)]
struct Effect {
    keep: Keep,
    kind: EffectKind,
}

#[derive(Debug)]
enum EffectKind {
    Claimed { nonce: NonceId, lapse: Lapse, success: SuccessStatuses },
    Took { subject: Arc<str>, draw: Draw, cost: u32, at: Duration },
}

impl Effect {
    /// Whether it counts a request that is under way: then it is given back
    /// when that ends, however it ends.
    fn ends_with_request(&self) -> bool {
        matches!(&self.kind, EffectKind::Took { draw, .. } if draw.rule.is_concurrency())
    }

    /// Whether it stays whatever the verdict.
    fn stays(&self) -> bool {
        self.keep == Keep::Always && !self.ends_with_request()
    }

    /// The claim, while it is under way.
    fn held(&self) -> Option<&NonceId> {
        match &self.kind {
            EffectKind::Claimed { nonce, .. } if self.keep != Keep::Always => Some(nonce),
            _ => None,
        }
    }
}

/// How a request ended whose effects are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It was not let in.
    Refused,
    /// It was let in, and its outcome is not seen.
    LetIn,
    /// The upstream's answer was whole, and had this status.
    Answered(StatusCode),
    /// Nothing was forwarded, or the upstream failed.
    Failed,
    /// Its end should have been seen, and was not.
    Unknown,
}

impl Ended {
    /// Whether `effect` stays. Of an unknown outcome a delivery is free again, for
    /// a lost event is worse than one that is seen twice; what was taken is not,
    /// or hanging up in time would cost nothing.
    fn keeps(self, effect: &Effect) -> bool {
        let is_kept = match (self, &effect.kind) {
            (Self::Refused | Self::Failed, _) => false,
            (Self::LetIn, _) => true,
            (Self::Unknown, kind) => matches!(kind, EffectKind::Took { .. }),
            (Self::Answered(status), EffectKind::Claimed { success, .. }) => success.holds(status),
            (Self::Answered(status), EffectKind::Took { .. }) => status.as_u16() < 400,
        };
        is_kept && !effect.ends_with_request()
    }
}
