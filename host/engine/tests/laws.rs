//! The laws, as properties: whatever policies do, the verdict is what a plain
//! fold of their decisions says, and stores hold what follows from it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{act, gate, head, policy, route, scripted, spec};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

/// The instructions to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Script {
    take: u32,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Allow,
    Abstain,
    Deny,
    Trap,
}

fn script() -> impl Strategy<Value = Script> {
    let end = prop_oneof![3 => Just(End::Allow), 4 => Just(End::Abstain), 1 => Just(End::Deny), 1 => Just(End::Trap)];
    (0..3u32, end).prop_map(|(take, end)| Script { take, end })
}

/// The policies by position: whether each vouches, and what its failure is.
const POLICIES: [(&str, bool, OnError); 4] = [
    ("p0", true, OnError::Deny),
    ("p1", false, OnError::Abstain),
    ("p2", true, OnError::Abstain),
    ("p3", false, OnError::Deny),
];

const LIMIT: u64 = 1_000;

/// Counts on one store through the trait, so that tests can look at it.
struct Shared(Arc<MemoryStore>);

impl LocalStore for Shared {
    fn claim(&self, nonce: &NonceId, retain: std::time::Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.0.claim(nonce, retain, hold)
    }
    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.renew(nonce, holder)
    }
    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.confirm(nonce, holder)
    }
    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.release(nonce, holder)
    }
    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        self.0.take(subject, draws, cost)
    }
    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: std::time::Duration) -> Result<(), StoreError> {
        self.0.give_back(subject, draw, cost, at)
    }
}

struct Bench {
    gate: Gate,
    store: Arc<MemoryStore>,
    draw: Draw,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let policies =
        POLICIES.iter().enumerate().map(|(i, (name, vouch, on_error))| (*name, scripted(i, *vouch, *on_error)));
    let mut public = route("public", &POLICIES.map(|(name, ..)| policy(name)));
    public.public = true;
    let routes = vec![
        route("plain", &POLICIES.map(|(name, ..)| policy(name))),
        route("group", &[Member::AnyOf(vec!["p0".into(), "p1".into(), "p2".into()]), policy("p3")]),
        public,
    ];
    let spec = spec(policies.collect(), routes, LIMIT);
    let draw = Draw { quota: "quota".into(), rule: spec.quotas["quota"].rule };
    // A clock that stands still: what was taken does not flow back.
    let store = Arc::new(MemoryStore::with_clock(MemoryLimits::default(), || std::time::Duration::from_secs(1)));
    Bench { gate: gate(&spec, Shared(store.clone())), store, draw }
});

impl Bench {
    fn taken(&self, route: &str) -> u64 {
        let subject = format!("route\0{route}").into();
        LIMIT - self.store.take(&subject, std::slice::from_ref(&self.draw), 0).unwrap().remaining
    }

    fn reset(&self, route: &str) {
        let subject = format!("route\0{route}").into();
        let taken = u32::try_from(self.taken(route)).unwrap();
        self.store.give_back(&subject, &self.draw, taken, std::time::Duration::from_secs(1)).unwrap();
    }
}

/// The laws' reading of one policy's answer.
#[derive(Debug, PartialEq, Eq)]
enum Vote {
    Allow,
    Abstain,
    Failed,
    Deny(&'static str),
}

fn vote(position: usize, end: End) -> Vote {
    let (_, vouch, on_error) = POLICIES[position];
    let failure = |reason| if on_error == OnError::Abstain { Vote::Failed } else { Vote::Deny(reason) };
    match end {
        End::Allow if vouch => Vote::Allow,
        End::Allow => failure("contract-violation"),
        End::Abstain => Vote::Abstain,
        End::Deny => Vote::Deny("scripted"),
        End::Trap => failure("policy-trapped"),
    }
}

/// The plain fold: the reason of the verdict, how many policies ran, and what
/// stays taken.
fn fold(route: &str, scripts: &[Script; 4]) -> (Option<&'static str>, usize, u64) {
    let mut vouched = route == "public";
    let mut taken = 0;
    let mut ran = 0;
    let mut rest = 0;
    if route == "group" {
        let mut first_denial = None;
        rest = 3;
        let mut won = false;
        for (position, script) in scripts[..3].iter().enumerate() {
            ran += 1;
            match vote(position, script.end) {
                Vote::Allow => {
                    taken += u64::from(script.take);
                    won = true;
                    break;
                }
                Vote::Deny(reason) => first_denial = first_denial.or(Some(reason)),
                Vote::Abstain | Vote::Failed => {}
            }
        }
        if !won {
            return (Some(first_denial.unwrap_or("nobody-vouched")), ran, 0);
        }
        vouched = true;
    }
    for (position, script) in scripts.iter().enumerate().skip(rest) {
        ran += 1;
        match vote(position, script.end) {
            Vote::Deny(reason) => return (Some(reason), ran, 0),
            Vote::Allow => vouched = true,
            Vote::Failed => continue,
            Vote::Abstain => {}
        }
        taken += u64::from(script.take);
    }
    if vouched { (None, ran, taken) } else { (Some("nobody-vouched"), ran, 0) }
}

fn run(route: &str, scripts: &[Script; 4]) -> Verdict {
    let mut fields = Vec::new();
    for (position, script) in scripts.iter().enumerate() {
        fields.push(act(position, "expect-first-call"));
        if script.take > 0 {
            fields.push(act(position, format!("take:{}", script.take)));
        }
        fields.push(act(
            position,
            match script.end {
                End::Allow => "allow",
                End::Abstain => "abstain",
                End::Deny => "deny:scripted:403",
                End::Trap => "trap",
            },
        ));
    }
    BENCH.gate.check_now(head(&format!("/{route}"), &fields), Body::NotCarried).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Several laws in one: the first deny wins and later policies do not
    /// run; an allow counts only from who may vouch; if all abstain the
    /// verdict is deny; a failure is never allow; every policy meets a fresh
    /// instance; what stays taken follows the verdict.
    #[test]
    fn the_verdict_is_the_fold_of_the_decisions(
        route in prop_oneof![Just("plain"), Just("group"), Just("public")],
        scripts in [script(), script(), script(), script()],
    ) {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        BENCH.reset(route);
        let verdict = run(route, &scripts);
        let (reason, ran, taken) = fold(route, &scripts);
        prop_assert_eq!(verdict.reason().map(Reason::as_str), reason, "{:?}", verdict.steps());
        prop_assert_eq!(verdict.steps().len(), ran);
        prop_assert_eq!(BENCH.taken(route), taken);
    }
}

/// Properties share the bench's store.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn when_all_abstain_nobody_vouched() {
    let abstain = Script { take: 0, end: End::Abstain };
    let scripts = [abstain.clone(), abstain.clone(), abstain.clone(), abstain];
    assert_eq!(run("plain", &scripts).reason(), Some(&HostReason::NobodyVouched.into()));
    assert_eq!(run("public", &scripts).reason(), None);
}

#[test]
fn a_member_that_lost_leaves_nothing_behind() {
    // It names a principal, and facts that are not those of the listener.
    let fields =
        [act(0, "facts:m1"), act(0, "allow:a"), act(1, "abstain"), act(2, "principal:b"), act(3, "principal:b")];
    let check = |acts: &[(String, String)]| {
        let mut head = head("/group", acts);
        head.client.facts = Some(Facts { message_id: Some("m0".into()), ..Facts::default() });
        BENCH.gate.check_now(head, Body::NotCarried).unwrap()
    };
    let nobody = check(&fields);
    assert_eq!(nobody.reason().map(Reason::as_str), Some("principal-conflict"));
    let seen =
        check(&[act(0, "facts:m1"), act(0, "allow:a"), act(1, "abstain"), act(2, "allow:b"), act(3, "principal:b")]);
    let Verdict::Allow(permit) = seen else { panic!("denied: {:?}", seen.steps()) };
    assert_eq!(permit.principal().map(|principal| principal.id.as_str()), Some("b"));
}
