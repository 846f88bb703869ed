//! Every `keep`, on every store: what a whole gate leaves there.

use crate::subjects::{Kind, Subject, block_on, each};
use barmkin_host::{
    Body, Client, Draw, Engine, EngineSettings, Gate, Gcra, Generation, Head, Keep, KeyRing, Member, PathMatch,
    PolicySpec, Quota, QuotaKey, QuotaRule, Route, Sees, Services, Spec, Store, Verdict, Window,
};
use http::{HeaderMap, Method, StatusCode};
use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

const LIMIT: u64 = 10;

fn day(limit: u64) -> QuotaRule {
    Gcra { interval: Duration::from_secs(86_400 / limit), limit }.into()
}

const KEEPS: [Keep; 3] = [Keep::OnAllow, Keep::Always, Keep::OnSuccess];

fn rules() -> [QuotaRule; 4] {
    let window = Window { limit: LIMIT, length: Duration::from_secs(86_400) };
    [day(LIMIT), QuotaRule::FixedWindow(window), QuotaRule::SlidingWindow(window), QuotaRule::Concurrency(window)]
}

/// How a quota counts and what is kept of it, as a name.
fn name(rule: usize, keep: Keep) -> String {
    format!("{keep:?}-{rule}").to_lowercase()
}

/// For every rule and keep a route of its name, which takes from `NAME` and
/// `also-NAME` at once, and then from `last`, of which there is one. Everything
/// is counted against the client's address.
fn gate(store: &Store) -> Gate {
    let quota = |rule, keep| Quota { rule, key: QuotaKey::ClientAddress, keep, entries_max: None };
    let taking = |names: Vec<String>| {
        let mut policy = PolicySpec::new(barmkin_stock::RATE_QUOTA.component);
        policy.grants.quotas = [("quota".to_owned(), names)].into();
        policy
    };
    let mut spec = Spec::default();
    spec.quotas.insert("last".to_owned(), quota(day(1), Keep::OnAllow));
    spec.policies.insert("last".to_owned(), taking(vec!["last".to_owned()]));
    for keep in KEEPS {
        for (index, rule) in rules().into_iter().enumerate() {
            let name = name(index, keep);
            let names = vec![name.clone(), format!("also-{name}")];
            spec.quotas.extend(names.iter().map(|name| (name.clone(), quota(rule, keep))));
            spec.policies.insert(name.clone(), taking(names));
            let mut route = Route::new(&name);
            route.public = true;
            route.matches.path = PathMatch::Exact(format!("/{name}"));
            route.chain = [name, "last".to_owned()].map(Member::Policy).to_vec();
            spec.routes.push(route);
        }
    }
    Gate::new(Generation::build(&ENGINE, &spec, &KeyRing::default(), Services::new(store.clone())).unwrap())
}

/// One client's requests to one route.
struct Case {
    rule: usize,
    keep: Keep,
    client: Ipv4Addr,
}

impl Case {
    fn all() -> impl Iterator<Item = (usize, Keep)> {
        KEEPS.into_iter().flat_map(|keep| (0..rules().len()).map(move |rule| (rule, keep)))
    }

    fn new(rule: usize, keep: Keep) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { rule, keep, client: Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::SeqCst)) }
    }

    fn run(&self, gate: &Gate) -> Verdict {
        let head = Head {
            method: Method::GET,
            version: http::Version::HTTP_11,
            scheme: "https",
            authority: Some("gate.test".to_owned()),
            target: format!("/{}", name(self.rule, self.keep)),
            headers: HeaderMap::new(),
            client: Client { address: Some(self.client.into()), sees: Sees::Response, ..Client::default() },
        };
        block_on(gate.check(head, Body::NotCarried))
    }

    fn subject(&self) -> String {
        format!("address\0{}", self.client)
    }

    /// How much of the two quotas is used.
    fn used(&self, store: &Subject) -> [u64; 2] {
        let name = name(self.rule, self.keep);
        [name.clone(), format!("also-{name}")].map(|quota| {
            let draw = Draw { quota: quota.into(), rule: rules()[self.rule] };
            LIMIT - store.take(&self.subject(), &[draw], 0).remaining
        })
    }

    /// The units used once a request has ended this way.
    fn end(&self, gate: &Gate, store: &Subject, end: End) -> [u64; 2] {
        if let End::Denied = end {
            store.take(&self.subject(), &[Draw { quota: "last".into(), rule: day(1) }], 1);
        }
        match (self.run(gate), end) {
            (Verdict::Deny(denial), End::Denied) => assert_eq!(denial.reason().as_str(), "over-quota"),
            (Verdict::Allow(permit), End::Answered(status)) => {
                let (_, settlement) = permit.into_forwarded();
                assert_eq!(self.used(store), [1; 2], "until then");
                block_on(settlement.answered(StatusCode::from_u16(status).unwrap()));
            }
            (Verdict::Allow(permit), End::Unanswered) => {
                drop(permit);
                // Units of concurrency are given back in the background.
                while rules()[self.rule].is_concurrency() && self.used(store) != [0; 2] {
                    block_on(tokio::task::yield_now());
                }
            }
            (verdict, end) => panic!("{verdict:?} at {end:?}"),
        }
        self.used(store)
    }
}

/// The end of a request that passed the first policy.
#[derive(Clone, Copy, Debug)]
enum End {
    Denied,
    Answered(u16),
    Unanswered,
}

#[test]
fn what_is_kept_is_what_keep_says() {
    use End::{Answered, Denied, Unanswered};
    let expected = |keep| match keep {
        Keep::OnAllow => [(Denied, 0), (Answered(500), 1), (Answered(200), 1), (Unanswered, 1)],
        Keep::Always => [(Denied, 1), (Answered(500), 1), (Answered(200), 1), (Unanswered, 1)],
        Keep::OnSuccess => [(Denied, 0), (Answered(500), 0), (Answered(200), 1), (Unanswered, 1)],
    };
    each("every keep", |kind| {
        let store = Subject::new(kind);
        let gate = gate(&store.store);
        for (rule, keep) in Case::all() {
            for (end, left) in expected(keep) {
                let case = Case::new(rule, keep);
                // A request that has ended is not under way, whatever its keep.
                let left = if rules()[rule].is_concurrency() { 0 } else { left };
                assert_eq!(case.end(&gate, &store, end), [left; 2], "{kind:?} {keep:?} {end:?} {:?}", rules()[rule]);
            }
        }
    });
}

/// A crash before the response, and so before any settling: used, whatever the
/// keep; units of concurrency until their lease is over.
#[test]
fn a_crash_before_the_end_leaves_it_used() {
    each("every keep over a crash", |kind| {
        if kind == Kind::Memory {
            return;
        }
        let store = Subject::new(kind);
        let gate = gate(&store.store);
        let cases: Vec<Case> = Case::all().map(|(rule, keep)| Case::new(rule, keep)).collect();
        for case in &cases {
            let Verdict::Allow(permit) = case.run(&gate) else { panic!("it was not allowed") };
            // Nothing of a dead process is settled.
            std::mem::forget(permit);
        }
        let found = store.crash();
        for case in &cases {
            assert_eq!(case.used(&found), [1; 2], "{kind:?} {:?} {:?}", case.keep, rules()[case.rule]);
        }
        found.wait(86_400_000);
        for case in &cases {
            assert_eq!(case.used(&found), [0; 2], "{kind:?} {:?} {:?}", case.keep, rules()[case.rule]);
        }
    });
}
