//! A crash between an effect and its verdict leaves the effect used, and what
//! was decided stays as it was.

use crate::claims::nonce;
use crate::subjects::{Kind, Subject, each};
use barmkin_host::{Claim, Draw, Gcra, Hold, Holder, Lapse, QuotaRule, Window, limits};
use std::time::Duration;

/// A process that restarts forgets what is in its memory: that is what
/// `memory` says of itself.
fn survives(kind: Kind) -> bool {
    kind != Kind::Memory
}

#[test]
fn a_crash_leaves_claims_used_and_deliveries_to_their_leases() {
    each("claims over a crash", |kind| {
        if !survives(kind) {
            return;
        }
        let store = Subject::new(kind);
        let retain = Duration::from_secs(3_600);
        let one = Holder(1);
        let used = Some(Hold { holder: one, lapse: Lapse::Used });
        let delivery = Some(Hold { holder: one, lapse: Lapse::Free });
        for (id, hold) in [(1, delivery), (2, used), (3, used), (4, None), (5, delivery), (6, delivery)] {
            assert_eq!(store.claim(&nonce(id), retain, hold), Ok(Claim::FirstUse), "{kind:?}");
        }
        store.confirm(&nonce(1), one);
        store.release(&nonce(3), one);
        store.wait(20_000);
        store.renew(&nonce(6), one);

        let store = store.crash();
        let other = Some(Hold { holder: Holder(2), lapse: Lapse::Free });
        let claim = |id| store.claim(&nonce(id), retain, other).unwrap();
        assert_eq!(claim(1), Claim::Replayed, "{kind:?}");
        // On Redis another gate may hold it still; the embedded store knows
        // that nobody does.
        let undecided = if kind.is_shared() { Claim::InProgress } else { Claim::Replayed };
        assert_eq!(claim(2), undecided, "{kind:?}");
        assert_eq!(claim(3), Claim::FirstUse, "{kind:?}: it was given back");
        assert_eq!(claim(4), Claim::Replayed, "{kind:?}");
        // It may be under way where it was sent to.
        assert_eq!(claim(5), Claim::InProgress, "{kind:?}");
        assert_eq!(claim(6), Claim::InProgress, "{kind:?}");
        let lease = u64::try_from(limits::LEASE.as_millis()).unwrap();
        store.wait(lease - 20_000);
        assert_eq!(claim(2), Claim::Replayed, "{kind:?}: a code counts as used");
        assert_eq!(claim(5), Claim::FirstUse, "{kind:?}: its sender may send it again");
        assert_eq!(claim(6), Claim::InProgress, "{kind:?}: its lease was renewed");
        assert_eq!(claim(1), Claim::Replayed, "{kind:?}");

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
