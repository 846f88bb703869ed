//! The bytes that come from components: their code before anything of it runs,
//! and their answers, as any bytes in their memory.

use crate::guest;
use barmkin_host::limits::{
    COMPILE_BUDGET_MAX, COMPONENT_DEPTH_MAX, COMPONENTS_MAX, CONFIGURE_DEADLINE, DEADLINE_DEFAULT, GLOBALS_MUTABLE_MAX,
    MEMORIES_MAX, PRINCIPAL_ID_BYTES_MAX, PRINCIPAL_ITEMS_MAX, TABLES_MAX,
};
use barmkin_host::{Body, Client, Gate, Head, Member, PolicySpec, Route, Spec, Verdict};
use http::{HeaderMap, Method};
use std::sync::LazyLock;
use std::time::Duration;
use wasmparser::{Parser, Payload};

/// CPU time that is not in an estimate: what this machine does beside.
const BESIDE: Duration = Duration::from_secs(2);

/// Any bytes as a component: refused within a second, or loaded within its
/// estimate, and within a deadline whatever it does.
pub(crate) fn inspect(input: &[u8]) {
    let began = process_time();
    let inspected = barmkin_host::inspect(input);
    let took = process_time() - began;
    assert!(took < Duration::from_secs(1) + BESIDE, "it took {took:?} to look at");
    let Ok(inspection) = inspected else { return };
    assert!(inspection.exports.iter().any(|export| export == barmkin_host::CONTRACT));
    assert!(inspection.code_bytes <= input.len());
    assert!(inspection.estimate <= COMPILE_BUDGET_MAX);
    has_no_more_than_is_counted(input);
    load(input, inspection.estimate);
}

/// By the validator's own parser, all levels together.
fn has_no_more_than_is_counted(input: &[u8]) {
    let (mut open, mut parts, mut globals, mut memories, mut tables) = (0, 0, 0, 0, 0);
    for payload in Parser::new(0).parse_all(input) {
        match payload.expect("it was read before") {
            Payload::Version { .. } => {
                (open, parts) = (open + 1, parts + 1);
                assert!(open <= COMPONENT_DEPTH_MAX, "{open} levels");
            }
            Payload::End(_) => open -= 1,
            Payload::GlobalSection(section) => {
                let mutable = section.into_iter().filter(|global| global.as_ref().is_ok_and(|it| it.ty.mutable));
                globals += u64::try_from(mutable.count()).unwrap_or(u64::MAX);
            }
            Payload::MemorySection(section) => memories += u64::from(section.count()),
            Payload::TableSection(section) => tables += u64::from(section.count()),
            _ => {}
        }
    }
    let counted = [
        ("parts", parts, COMPONENTS_MAX),
        ("mutable globals", globals, GLOBALS_MUTABLE_MAX),
        ("memories", memories, MEMORIES_MAX),
        ("tables", tables, TABLES_MAX),
    ];
    for (what, count, max) in counted {
        assert!(count <= max, "{count} {what}");
    }
}

/// With whatever it may do: it configures itself, and answers a request.
fn load(component: &[u8], estimate: Duration) {
    let mut route = Route::new("route");
    route.public = true;
    route.chain = vec![Member::Policy("policy".to_owned())];
    let policies = [("policy".to_owned(), PolicySpec::new(component))].into();
    let began = process_time();
    let built = crate::generation(&Spec { policies, routes: vec![route], ..Spec::default() });
    let took = process_time() - began;
    let most = estimate * 3 + CONFIGURE_DEADLINE + BESIDE;
    assert!(took < most, "it took {took:?} to load, and was estimated at {estimate:?}");
    let Ok(generation) = built else { return };
    let began = process_time();
    drop(Gate::new(generation).check_now(head(), Body::NotCarried).expect("the store is in memory"));
    let took = process_time() - began;
    assert!(took < DEADLINE_DEFAULT * 2 + BESIDE, "a check took {took:?}");
}

fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Bytes of a body that the guest below takes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Any bytes as the answer of a policy that may say everything.
pub(crate) fn decision(input: &[u8]) {
    if input.len() > BODY_BYTES_MAX {
        return;
    }
    match decide(input.to_vec()) {
        Verdict::Allow(permit) => {
            if let Some(principal) = permit.principal() {
                assert!((1..=PRINCIPAL_ID_BYTES_MAX).contains(&principal.id.len()));
                assert!(!principal.id.contains(char::is_control));
                assert!(principal.roles.len().max(principal.scopes.len()) <= PRINCIPAL_ITEMS_MAX);
            }
            let (head, _) = permit.into_forwarded();
            let set: Vec<_> = head.headers.keys().map(http::HeaderName::as_str).collect();
            assert!(set.iter().all(|name| ["x-set", "x-request-id"].contains(name)), "{set:?}");
        }
        Verdict::Deny(denial) => {
            assert!((200..600).contains(&denial.status().as_u16()));
            let code = denial.reason().as_str();
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            drop(denial.response());
        }
    }
}

fn decide(answer: Vec<u8>) -> Verdict {
    GATE.check_now(head(), Body::Whole(answer.into())).expect("the store is in memory")
}

fn head() -> Head {
    Head {
        method: Method::POST,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: "/".to_owned(),
        headers: HeaderMap::new(),
        client: Client::default(),
    }
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let mut policy = PolicySpec::new(guest());
    policy.grants.vouch = true;
    policy.grants.sets = vec![http::HeaderName::from_static("x-set")];
    let mut route = Route::new("route");
    route.public = true;
    route.body_bytes_max = Some(BODY_BYTES_MAX);
    route.chain = vec![Member::Policy("policy".to_owned())];
    crate::gate(&Spec { policies: [("policy".to_owned(), policy)].into(), routes: vec![route], ..Spec::default() })
});

/// Copies the body to 65536, and answers with what lies there: `input.body` is
/// at 120 in the record, and the address of its bytes four further on.
fn guest() -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") 4)
            (global $free (mut i32) (i32.const 8192))
            (data (i32.const 1048) "\03")
            (data (i32.const 1052) "\00\40\00\00")
            (data (i32.const 1084) "\00\05\00\00\01\00\00\00")
            (data (i32.const 1092) "\01")
            (data (i32.const 1280) "\08\05\00\00\05\00\00\00")
            (data (i32.const 1288) "x-set")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $free)
                (global.set $free (i32.and
                    (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 15)) (i32.const -8))))
            (func (export "{0}#configure") (param i32 i32) (result i32) (i32.const 1024))
            (func (export "{0}#check") (param i32) (result i32)
                (memory.copy (i32.const 65536)
                    (i32.load offset=124 (local.get 0)) (i32.load offset=128 (local.get 0)))
                (i32.const 65536)))"#,
        barmkin_host::CONTRACT
    );
    guest::component(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Changes to one that loads go further than changes to noise.
    #[test]
    fn the_corpus_has_a_component_that_loads() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/component/loads");
        assert!(barmkin_host::inspect(&std::fs::read(file).unwrap()).is_ok());
    }

    /// The changes begin at answers that are whole.
    #[test]
    fn the_corpus_says_what_its_names_say() {
        let verdict = |name: &str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/decision").join(name);
            decide(std::fs::read(file).unwrap())
        };
        let Verdict::Allow(permit) = verdict("allow") else { panic!("denied") };
        assert_eq!(permit.principal().map(|principal| principal.id.as_str()), Some("app"));
        assert_eq!(permit.into_forwarded().0.headers.get("x-set").unwrap(), "v");
        let Verdict::Allow(permit) = verdict("abstain-set") else { panic!("denied") };
        assert_eq!(permit.into_forwarded().0.headers.get("x-set").unwrap(), "1");
        let Verdict::Deny(denial) = verdict("deny") else { panic!("allowed") };
        assert_eq!((denial.reason().as_str(), denial.detail()), ("code", "detail"));
    }
}
