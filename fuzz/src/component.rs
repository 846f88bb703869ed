//! What crosses from components: their bytes before anything of them runs,
//! and their answers, as any bytes in their memory.

use barmkin_host::limits::{PRINCIPAL_ID_BYTES_MAX, PRINCIPAL_ITEMS_MAX};
use barmkin_host::{Body, Client, Gate, Head, Member, PolicySpec, Route, Spec, Verdict};
use http::{HeaderMap, Method};
use std::path::Path;
use std::sync::LazyLock;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// Any bytes as a component.
pub(crate) fn inspect(input: &[u8]) {
    if let Ok(inspection) = barmkin_host::inspect(input) {
        assert!(inspection.exports.iter().any(|export| export == barmkin_host::CONTRACT));
        assert!(inspection.code_bytes <= input.len());
    }
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
    let head = Head {
        method: Method::POST,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: "/".to_owned(),
        headers: HeaderMap::new(),
        client: Client::default(),
    };
    GATE.check_now(head, Body::Whole(answer.into())).expect("the store is in memory")
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let mut policy = PolicySpec::new(guest());
    policy.grants.vouch = true;
    policy.grants.sets = vec![http::HeaderName::from_static("x-set")];
    let mut route = Route::new("route");
    route.public = true;
    route.body_bytes_max = BODY_BYTES_MAX;
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
    let mut module = wat::parse_str(text).expect("the text is right");
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).expect("the contract is there");
    let world = resolve.select_world(&[package], Some("policy")).expect("it has a world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it fits");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("it is a component")
}

#[cfg(test)]
mod tests {
    use super::*;

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
