//! One space's or quota's appetite is its own, on every store.

use crate::subjects::{Subject, block_on, each, settings};
use barmkin_host::{
    Body, Claim, Client, Draw, Engine, EngineSettings, Gate, Gcra, Generation, Head, Hold, Holder, Keep, KeyRing,
    Lapse, Member, MemoryLimits, MemoryStore, NonceId, PathMatch, PolicySpec, Pot, Quota, QuotaKey, QuotaRule, Route,
    Services, Spec, Store, StoreError, Verdict, Window,
};
use barmkin_store_embedded::{Durability, EmbeddedStore, Settings};
use http::{HeaderMap, Method};
use std::net::Ipv4Addr;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn nonce(space: &Pot, id: u64) -> NonceId {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    digest[8..16].copy_from_slice(&id.to_le_bytes());
    NonceId { space: space.clone(), digest, former: None }
}

#[test]
fn a_space_that_is_full_refuses_and_leaves_its_neighbour_alone() {
    each("a full nonce space", |kind| {
        let store = Subject::new(kind);
        let (greedy, modest) = (Pot::new("greedy", Some(20)), Pot::new("modest", Some(20)));
        for id in 0..20 {
            assert_eq!(store.claim(&nonce(&greedy, id), DAY, None), Ok(Claim::FirstUse), "{kind:?} {id}");
        }
        for id in 20..40 {
            let full = StoreError::PotFull { pot: "greedy".into(), entries: 20 };
            assert_eq!(store.claim(&nonce(&greedy, id), DAY, None), Err(full), "{kind:?} {id}");
        }
        assert_eq!(store.claim(&nonce(&greedy, 7), DAY, None), Ok(Claim::Replayed), "{kind:?}: what is live stays");
        for id in 0..20 {
            assert_eq!(store.claim(&nonce(&modest, id), DAY, None), Ok(Claim::FirstUse), "{kind:?} {id}");
        }
        store.wait(86_400_000);
        for id in 20..40 {
            assert_eq!(store.claim(&nonce(&greedy, id), DAY, None), Ok(Claim::FirstUse), "{kind:?} {id}: it expired");
        }
    });
}

/// A claim that was given back takes no room, on whichever shard it was.
#[test]
fn a_claim_that_is_released_makes_room() {
    each("claims that are released", |kind| {
        let store = Subject::new(kind);
        let space = Pot::new("space", Some(3));
        for id in 0..30 {
            let holder = Holder(id.into());
            let hold = Hold { holder, lapse: Lapse::Used };
            assert_eq!(store.claim(&nonce(&space, id), DAY, Some(hold)), Ok(Claim::FirstUse), "{kind:?} {id}");
            store.release(&nonce(&space, id), holder);
        }
    });
}

#[test]
fn a_quota_that_is_full_refuses_and_leaves_its_neighbour_alone() {
    let window = Window { limit: 10, length: DAY };
    let rate: QuotaRule = Gcra { interval: DAY, limit: 1 }.into();
    // How many entries one take needs: those that remember it need one more.
    let rules = [
        (rate, 1),
        (QuotaRule::FixedWindow(window), 1),
        (QuotaRule::SlidingWindow(window), 2),
        (QuotaRule::Concurrency(window), 2),
    ];
    each("a full quota", |kind| {
        for (rule, entries) in rules {
            let store = Subject::new(kind);
            let draw = |name: &str| [Draw { quota: Pot::new(name, Some(20 * entries)), rule }];
            let (greedy, modest) = (draw("greedy"), draw("modest"));
            for id in 0..20 {
                assert!(store.take(&format!("greedy-{id}"), &greedy, 1).admitted, "{kind:?} {rule:?} {id}");
            }
            for id in 20..40 {
                let refused = store.try_take(&format!("greedy-{id}"), &greedy, 1);
                assert!(matches!(refused, Err(StoreError::PotFull { .. })), "{kind:?} {rule:?} {id}: {refused:?}");
                // Of several, none is taken from.
                let both = [greedy[0].clone(), modest[0].clone()];
                assert!(store.try_take(&format!("greedy-{id}"), &both, 1).is_err(), "{kind:?} {rule:?} {id}");
            }
            for id in 0..20 {
                assert!(store.take(&format!("modest-{id}"), &modest, 1).admitted, "{kind:?} {rule:?} {id}");
            }
            assert!(store.try_take("modest-20", &modest, 1).is_err(), "{kind:?} {rule:?}");
            store.wait(2 * 86_400_000);
            for id in 20..40 {
                assert!(store.take(&format!("greedy-{id}"), &greedy, 1).admitted, "{kind:?} {rule:?} {id}: idle now");
            }
        }
    });
}

/// Local stores with little room. Redis has its own.
fn small(limits: MemoryLimits) -> Vec<(Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Settings { limits, ..settings(folder.path(), Durability::Process) };
    let embedded = EmbeddedStore::open(&embedded).unwrap().into_store();
    vec![(MemoryStore::new(limits).into(), None), (embedded, Some(folder))]
}

static ENGINE: std::sync::LazyLock<Engine> =
    std::sync::LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

/// Two public routes, each with a quota for each client's address; the first may
/// be a trial.
fn gate(store: &Store, is_trial: bool) -> Gate {
    let mut spec = Spec::default();
    for name in ["greedy", "modest"] {
        let rule = Gcra { interval: DAY, limit: 1_000 }.into();
        let mut policy = PolicySpec::new(barmkin_stock::RATE_QUOTA.component);
        policy.grants.quotas = [("quota".to_owned(), vec![name.to_owned()])].into();
        let quota = Quota { rule, key: QuotaKey::ClientAddress, keep: Keep::OnAllow, entries_max: None };
        spec.quotas.insert(name.to_owned(), quota);
        spec.policies.insert(name.to_owned(), policy);
        let mut route = Route::new(name);
        route.public = true;
        route.matches.path = PathMatch::Exact(format!("/{name}"));
        let member = if is_trial && name == "greedy" { Member::Shadow } else { Member::Policy };
        route.chain = vec![member(name.to_owned())];
        spec.routes.push(route);
    }
    Gate::new(Generation::build(&ENGINE, &spec, &KeyRing::default(), Services::new(store.clone())).unwrap())
}

fn is_let_in(gate: &Gate, route: &str, client: u32) -> bool {
    let head = Head {
        method: Method::GET,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: format!("/{route}"),
        headers: HeaderMap::new(),
        client: Client { address: Some(Ipv4Addr::from_bits(client).into()), ..Client::default() },
    };
    matches!(block_on(gate.check(head, Body::NotCarried)), Verdict::Allow(_))
}

#[test]
fn one_policys_subjects_refuse_no_request_of_anothers() {
    for is_trial in [false, true] {
        for (store, _folder) in small(MemoryLimits { nonces: 100, quotas: 100 }) {
            let gate = gate(&store, is_trial);
            for client in 0..300 {
                is_let_in(&gate, "greedy", client);
            }
            let refused = (0..40).filter(|client| !is_let_in(&gate, "modest", 1_000 + client)).count();
            assert_eq!(refused, 0, "of 40 requests; the other is a trial: {is_trial}");
        }
    }
}
