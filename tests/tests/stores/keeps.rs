//! Every `keep`, on every store: what a whole gate leaves there.

use crate::subjects::{Kind, Subject, block_on, each};
use barmkin_host::{
    Body, Client, Draw, Engine, EngineSettings, Gate, Gcra, Generation, Head, Keep, KeyRing, Member, PolicySpec, Quota,
    QuotaKey, QuotaRule, Route, Services, Spec, Verdict, Window,
};
use http::{HeaderMap, Method, StatusCode};
use std::sync::LazyLock;
use std::time::Duration;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

const LIMIT: u64 = 10;

fn day(limit: u64) -> QuotaRule {
    Gcra { interval: Duration::from_secs(86_400 / limit), limit }.into()
}

/// Route `r` takes from `kept` and `also` at once, and then from `last`, of
/// which there is one.
fn gate(store: &Subject, rule: QuotaRule, keep: Keep) -> Gate {
    let quota = |rule, keep| Quota { rule, key: QuotaKey::Route, keep };
    let taking = |names: &[&str]| {
        let mut policy = PolicySpec::new(barmkin_stock::RATE_QUOTA.component);
        policy.grants.quotas = [("quota".to_owned(), names.iter().map(|name| (*name).to_owned()).collect())].into();
        policy
    };
    let mut route = Route::new("r");
    route.public = true;
    route.chain = ["first", "second"].map(|name| Member::Policy(name.to_owned())).to_vec();
    let spec = Spec {
        quotas: [
            ("kept".to_owned(), quota(rule, keep)),
            ("also".to_owned(), quota(rule, keep)),
            ("last".to_owned(), quota(day(1), Keep::OnAllow)),
        ]
        .into(),
        policies: [("first".to_owned(), taking(&["kept", "also"])), ("second".to_owned(), taking(&["last"]))].into(),
        routes: vec![route],
        ..Spec::default()
    };
    let services = Services::new(store.store.clone());
    Gate::new(Generation::build(&ENGINE, &spec, &KeyRing::default(), services).unwrap())
}

fn run(gate: &Gate) -> Verdict {
    let head = Head {
        method: Method::GET,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: "/".to_owned(),
        headers: HeaderMap::new(),
        client: Client::default(),
    };
    block_on(gate.check(head, Body::NotCarried))
}

fn used(store: &Subject, rule: QuotaRule) -> [u64; 2] {
    ["kept", "also"].map(|quota| LIMIT - store.take("route\0r", &[Draw { quota: quota.into(), rule }], 0).remaining)
}

/// What becomes of a request that passed the first policy.
#[derive(Clone, Copy, Debug)]
enum End {
    Denied,
    Answered(u16),
    Unanswered,
}

fn end(store: &Subject, rule: QuotaRule, keep: Keep, end: End) -> [u64; 2] {
    let gate = gate(store, rule, keep);
    if let End::Denied = end {
        store.take("route\0r", &[Draw { quota: "last".into(), rule: day(1) }], 1);
    }
    let settled = run(&gate);
    match (settled, end) {
        (Verdict::Deny(denial), End::Denied) => assert_eq!(denial.reason().as_str(), "over-quota"),
        (Verdict::Allow(permit), End::Answered(status)) => {
            let (_, settlement) = permit.into_forwarded();
            block_on(settlement.response(StatusCode::from_u16(status).unwrap()));
        }
        (Verdict::Allow(permit), End::Unanswered) => {
            let before = used(store, rule);
            drop(permit);
            if rule.is_concurrency() {
                assert_eq!(before, [1, 1]);
                // With a remote store it is given back beside.
                while used(store, rule) != [0, 0] {
                    block_on(tokio::task::yield_now());
                }
            }
        }
        (verdict, end) => panic!("{verdict:?} at {end:?}"),
    }
    drop(gate);
    used(store, rule)
}

#[test]
fn what_is_kept_is_what_keep_says() {
    use End::{Answered, Denied, Unanswered};
    let expected = [
        (Keep::OnAllow, [(Denied, 0), (Answered(500), 1), (Answered(200), 1), (Unanswered, 1)]),
        (Keep::Always, [(Denied, 1), (Answered(500), 1), (Answered(200), 1), (Unanswered, 1)]),
        (Keep::OnSuccess, [(Denied, 0), (Answered(500), 0), (Answered(200), 1), (Unanswered, 1)]),
    ];
    let window = Window { limit: LIMIT, length: Duration::from_secs(86_400) };
    each("every keep", |kind| {
        for (keep, ends) in expected {
            for (how, left) in ends {
                for rule in [day(LIMIT), QuotaRule::FixedWindow(window), QuotaRule::SlidingWindow(window)] {
                    let left_over = end(&Subject::new(kind), rule, keep, how);
                    assert_eq!(left_over, [left; 2], "{kind:?} {keep:?} {how:?} {rule:?}");
                }
                let at_once = end(&Subject::new(kind), QuotaRule::Concurrency(window), keep, how);
                assert_eq!(at_once, [0; 2], "{kind:?} {keep:?} {how:?}: the request has ended");
            }
        }
    });
}

/// A crash before the response, and so before any settling: used, whatever the
/// keep; units of concurrency until their lease is over.
#[test]
fn a_crash_before_the_end_leaves_it_used() {
    let window = Window { limit: LIMIT, length: Duration::from_secs(86_400) };
    each("every keep over a crash", |kind| {
        for keep in [Keep::OnAllow, Keep::Always, Keep::OnSuccess] {
            for rule in [day(LIMIT), QuotaRule::SlidingWindow(window), QuotaRule::Concurrency(window)] {
                if kind == Kind::Memory {
                    continue;
                }
                let store = Subject::new(kind);
                let Verdict::Allow(permit) = run(&gate(&store, rule, keep)) else { panic!("it was not allowed") };
                let store = store.crash();
                // Nothing of a dead process is settled.
                std::mem::forget(permit);
                assert_eq!(used(&store, rule), [1; 2], "{kind:?} {keep:?} {rule:?}");
                store.wait(86_400_000);
                assert_eq!(used(&store, rule), [0; 2], "{kind:?} {keep:?} {rule:?}");
            }
        }
    });
}
