//! Claims answer as the words of `LocalStore::claim` say, whatever came before.

use crate::subjects::{Kind, Subject, block_on, each};
use barmkin_host::{Claim, Hold, Holder, Lapse, NonceId, Store, limits};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Claim { nonce: u8, retain_ms: u64, hold: Option<Hold> },
    Renew { nonce: u8, holder: u8 },
    Confirm { nonce: u8, holder: u8 },
    Release { nonce: u8, holder: u8 },
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 1..100_000u64, prop::option::of((0..3u8, any::<bool>())))
            .prop_map(|(nonce, retain_ms, hold)| Step::Claim { nonce, retain_ms, hold: hold.map(hold_of) }),
        2 => (0..4u8, 0..3u8).prop_map(|(nonce, holder)| Step::Renew { nonce, holder }),
        1 => (0..4u8, 0..3u8).prop_map(|(nonce, holder)| Step::Confirm { nonce, holder }),
        1 => (0..4u8, 0..3u8).prop_map(|(nonce, holder)| Step::Release { nonce, holder }),
        2 => (0..40_000u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

fn hold_of((holder, is_delivery): (u8, bool)) -> Hold {
    Hold { holder: Holder(holder.into()), lapse: if is_delivery { Lapse::Free } else { Lapse::Used } }
}

struct Live {
    expires: u64,
    hold: Option<Hold>,
    held_until: u64,
}

impl Live {
    fn is_held_by(&self, holder: u8) -> bool {
        self.hold.is_some_and(|hold| hold.holder == Holder(holder.into()))
    }
}

pub(crate) fn nonce(id: u8) -> NonceId {
    NonceId { space: "deliveries".into(), digest: [id; 32], former: None }
}

/// How many cases a store gets: those that leave the process cost more.
pub(crate) fn cases(kind: Kind) -> ProptestConfig {
    let cases = match kind {
        Kind::Memory => 256,
        Kind::EmbeddedProcess | Kind::Redis => 48,
        Kind::RedisCluster => 24,
        Kind::EmbeddedPower => 6,
    };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn claims_follow_the_model() {
    each("the model of claims", |kind| {
        let steps = prop::collection::vec(step(), 1..60);
        TestRunner::new(cases(kind))
            .run(&steps, |steps| follow(&Subject::new(kind), steps))
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    });
}

fn follow(store: &Subject, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let lease = u64::try_from(limits::LEASE.as_millis()).unwrap();
    let mut model: HashMap<u8, Live> = HashMap::new();
    for step in steps {
        let now = store.now_ms();
        model.retain(|_, live| live.expires > now);
        match step {
            Step::Wait { ms } => store.wait(ms),
            Step::Claim { nonce: id, retain_ms, hold } => {
                let expected = match model.get(&id) {
                    None => Claim::FirstUse,
                    Some(Live { hold: Some(_), held_until, .. }) if now < *held_until => Claim::InProgress,
                    Some(Live { hold: Some(Hold { lapse: Lapse::Free, .. }), .. }) => Claim::FirstUse,
                    Some(_) => Claim::Replayed,
                };
                prop_assert_eq!(store.claim(&nonce(id), Duration::from_millis(retain_ms), hold), Ok(expected));
                if expected == Claim::FirstUse {
                    model.insert(id, Live { expires: now + retain_ms, hold, held_until: now + lease });
                }
            }
            Step::Renew { nonce: id, holder } => {
                store.renew(&nonce(id), Holder(holder.into()));
                if let Some(live) = model.get_mut(&id).filter(|live| live.is_held_by(holder)) {
                    live.held_until = now + lease;
                }
            }
            Step::Confirm { nonce: id, holder } => {
                store.confirm(&nonce(id), Holder(holder.into()));
                if let Some(live) = model.get_mut(&id).filter(|live| live.is_held_by(holder)) {
                    live.hold = None;
                }
            }
            Step::Release { nonce: id, holder } => {
                store.release(&nonce(id), Holder(holder.into()));
                if model.get(&id).is_some_and(|live| live.is_held_by(holder)) {
                    model.remove(&id);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn of_concurrent_claims_exactly_one_is_first() {
    each("claims at once", |kind| {
        let subject = Subject::new(kind);
        for round in 0..40 {
            let claim = |holder| {
                let (store, nonce) = (subject.store.clone(), nonce(round));
                async move {
                    let (retain, hold) = (Duration::from_secs(60), Some(hold_of((holder, true))));
                    match store {
                        Store::Local(store) => store.claim(&nonce, retain, hold).unwrap(),
                        Store::Remote(store) => store.claim(&nonce, retain, hold).await.unwrap(),
                    }
                }
            };
            let claims = block_on(async {
                let tasks: Vec<_> = (0..8).map(|holder| tokio::spawn(claim(holder))).collect();
                let mut claims = Vec::new();
                for task in tasks {
                    claims.push(task.await.unwrap());
                }
                claims
            });
            assert_eq!(claims.iter().filter(|claim| **claim == Claim::FirstUse).count(), 1, "{kind:?}: {claims:?}");
        }
    });
}
