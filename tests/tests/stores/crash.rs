//! A crash between an effect and its verdict leaves the effect used, and what
//! was decided stays as it was (law 6).

use crate::claims::nonce;
use crate::subjects::{Kind, Subject, each};
use barmkin_host::{Claim, Draw, Gcra, Holder, QuotaRule, Window};
use std::time::Duration;

/// A process that restarts forgets what is in its memory: that is what
/// `memory` says of itself.
fn survives(kind: Kind) -> bool {
    kind != Kind::Memory
}

#[test]
fn a_crash_leaves_claims_used() {
    each("claims over a crash", |kind| {
        if !survives(kind) {
            return;
        }
        let store = Subject::new(kind);
        let retain = Duration::from_secs(3_600);
        let (one, other) = (Holder(1), Holder(2));
        assert_eq!(store.claim(&nonce(1), retain, Some(one)), Ok(Claim::FirstUse));
        store.confirm(&nonce(1), one);
        assert_eq!(store.claim(&nonce(2), retain, Some(one)), Ok(Claim::FirstUse));
        assert_eq!(store.claim(&nonce(3), retain, Some(one)), Ok(Claim::FirstUse));
        store.release(&nonce(3), one);
        assert_eq!(store.claim(&nonce(4), retain, None), Ok(Claim::FirstUse));

        let store = store.crash();
        let claim = |id| store.claim(&nonce(id), retain, Some(other)).unwrap();
        assert_eq!(claim(1), Claim::Replayed, "{kind:?}");
        // On Redis another gate may hold it still; the embedded store knows
        // that nobody does.
        let undecided = if kind == Kind::Redis { Claim::InProgress } else { Claim::Replayed };
        assert_eq!(claim(2), undecided, "{kind:?}");
        assert_eq!(claim(3), Claim::FirstUse, "{kind:?}: it was given back");
        assert_eq!(claim(4), Claim::Replayed, "{kind:?}");

        store.wait(3_600_000);
        assert_eq!(store.crash().claim(&nonce(1), retain, None), Ok(Claim::FirstUse), "{kind:?}: it has expired");
    });
}

#[test]
fn a_crash_fills_no_quota() {
    let window = Window { limit: 10, length: Duration::from_secs(3_600) };
    let rate = Gcra { interval: Duration::from_secs(360), limit: 10 };
    let rules = [
        QuotaRule::Gcra(rate),
        QuotaRule::FixedWindow(window),
        QuotaRule::SlidingWindow(window),
        QuotaRule::Concurrency(window),
    ];
    each("quotas over a crash", |kind| {
        if !survives(kind) {
            return;
        }
        for rule in rules {
            let draws = ["one", "another"].map(|quota| Draw { quota: quota.into(), rule });
            let store = Subject::new(kind);
            assert!(store.take("a", &draws, 3).admitted);
            let given_back = store.take("a", &draws[..1], 2);
            store.give_back("a", &draws[0], 2, given_back.at);
            let store = store.crash();
            assert_eq!(store.take("a", &draws[..1], 0).remaining, 7, "{kind:?} {rule:?}");
            assert_eq!(store.take("a", &draws[1..], 7).remaining, 0, "{kind:?} {rule:?}");
            assert!(!store.take("a", &draws, 1).admitted, "{kind:?} {rule:?}");
            store.wait(2 * 3_600_000);
            assert!(store.crash().take("a", &draws, 10).admitted, "{kind:?} {rule:?}");
        }
    });
}
