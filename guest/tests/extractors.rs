//! The declarations of extractors, and the values they see.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_guest::prelude::*;
use barmkin_guest::test::{Policy, Request};
use barmkin_guest::types::{BodyInput, Cardinality, DigestAlgorithm, KeyNeed, Manifest, NamedInput, RequestParts};

name!(Tenant = "x-tenant");
name!(Tag = "x-tag");
name!(Page = "page");
name!(Sort = "sort");
name!(Signing = "signing");
name!(Seen = "seen");
name!(Calls = "calls");

/// Declares one of everything, and answers with what it saw.
#[policy]
struct Everything {}

impl Rule for Everything {
    type Input<'a> = (
        (Now, Method<'a>, Path<'a>, Query<'a>, Target<'a>, ClientAddress<'a>),
        (Header<'a, Tenant>, Headers<'a, Tag>),
        (QueryParameter<'a, Page>, QueryParameters<'a, Sort>),
        (BodyDigest<'a, Sha256>, BodyOnHost),
        (Key<'a, Signing, (HmacSha256, Ed25519)>, Nonces<'a, Seen>, Quota<'a, Calls>),
        Option<&'a Principal>,
    );

    fn check(&self, input: Self::Input<'_>) -> Decision {
        let ((now, method, path, query, target, address), headers, parameters, body, _, principal) = input;
        let (tenant, tags) = headers;
        let (page, sort) = parameters;
        deny(418, "seen").detail(format!(
            "{} {} {} {:?} {} {:?} {:?} {:?} {:?} {:?} {:02x?} {:?}",
            now.unix_ms(),
            method.as_str(),
            path.as_str(),
            query.get(),
            target.as_str(),
            address.get(),
            tenant.get(),
            tags.iter().collect::<Vec<_>>(),
            page.get(),
            sort.iter().collect::<Vec<_>>(),
            body.0.as_bytes().first(),
            principal.map(|principal| principal.id.as_str()),
        ))
    }
}

#[test]
fn naming_an_extractor_declares_it() {
    let policy = Policy::<Everything>::configure("{}").unwrap();
    let named = |name: &str, cardinality| NamedInput { name: name.to_owned(), cardinality };
    let parts = RequestParts::METHOD
        | RequestParts::PATH
        | RequestParts::QUERY
        | RequestParts::TARGET
        | RequestParts::CLIENT_ADDRESS
        | RequestParts::PRINCIPAL;
    let expected = Manifest {
        parts,
        headers: vec![named("x-tenant", Cardinality::AtMostOne), named("x-tag", Cardinality::Many)],
        query_parameters: vec![named("page", Cardinality::AtMostOne), named("sort", Cardinality::Many)],
        body: BodyInput::Digests(vec![DigestAlgorithm::Sha256]),
        keys: vec![KeyNeed { name: "signing".to_owned(), algorithms: vec![Algorithm::HmacSha256, Algorithm::Ed25519] }],
        nonces: vec!["seen".to_owned()],
        quotas: vec!["calls".to_owned()],
        sets: Vec::new(),
        vouches: false,
    };
    assert_eq!(policy.manifest(), &expected);
}

#[test]
fn each_sees_its_own_part() {
    let policy = Policy::<Everything>::configure("{}").unwrap();
    let request = Request::post("/a?page=%32&sort=x&sort=y")
        .at(7)
        .header("X-Tag", "one")
        .header("X-Undeclared", "unseen")
        .header("X-Tenant", "acme")
        .header("x-tag", "two")
        .principal(Principal::user("someone"));
    // SHA-256 of nothing begins with e3.
    let expected = "7 POST /a Some(\"page=%32&sort=x&sort=y\") /a?page=%32&sort=x&sort=y \
        Some(\"192.0.2.1\") Some(\"acme\") [\"one\", \"two\"] Some(\"2\") [\"x\", \"y\"] \
        Some(e3) Some(\"someone\")";
    assert_eq!(detail(policy.check(&request)), expected);
}

/// As the host does, before the rule is asked.
#[test]
fn a_path_has_one_reading_or_none() {
    let policy = Policy::<Everything>::configure("{}").unwrap();
    let seen = detail(policy.check(&Request::get("/keys%3Arotate?a=%3A")));
    assert!(seen.starts_with("0 GET /keys:rotate Some(\"a=%3A\") /keys%3Arotate?a=%3A "), "{seen}");
    for (target, refused) in [("/a/../b", "ambiguous-path"), ("/a//b", "ambiguous-path"), ("a", "malformed-target")] {
        assert_eq!(policy.check(&Request::get(target)).code(), Some(refused), "{target}");
    }
}

#[test]
fn what_may_come_once_is_refused_when_it_comes_twice() {
    let policy = Policy::<Everything>::configure("{}").unwrap();
    let headers = Request::get("/").header("x-tenant", "a").header("x-tenant", "a");
    assert_eq!(policy.check(&headers).code(), Some("duplicate-header"));
    let parameters = Request::get("/?page=1&p%61ge=2");
    assert_eq!(policy.check(&parameters).code(), Some("duplicate-query-parameter"));
}

/// Reads the body, up to three bytes.
#[policy]
struct Short {}

impl Rule for Short {
    type Input<'a> = BodyBytes<'a, 3>;

    fn check(&self, body: BodyBytes<'_, 3>) -> Decision {
        deny(418, "seen").detail(format!("{:?}", body.as_bytes()))
    }
}

#[test]
fn a_body_crosses_up_to_its_maximum() {
    let policy = Policy::<Short>::configure("{}").unwrap();
    let check = |body: &[u8]| policy.check(&Request::post("/").body(body));
    assert_eq!(detail(check(&[0xff, 0, 1])), "[255, 0, 1]");
    assert_eq!(check(&[0, 0, 0, 0]).code(), Some("body-too-large"));
}

/// Cannot do without a principal.
#[policy]
struct Personal {}

impl Rule for Personal {
    type Input<'a> = &'a Principal;

    fn check(&self, principal: &Principal) -> Decision {
        allow(principal.clone()).set("x-user", &principal.id)
    }
}

#[test]
fn a_principal_that_is_needed_is_asked_for() {
    let policy = Policy::<Personal>::configure("{}").unwrap();
    assert_eq!(policy.check(&Request::get("/")).code(), Some("missing-principal"));
}

#[test]
fn what_the_manifest_does_not_cover_is_a_violation() {
    let policy = Policy::<Personal>::configure("{}").unwrap();
    let decision = policy.check(&Request::get("/").principal(Principal::user("someone")));
    assert_eq!(decision.code(), Some("contract-violation"));
}

fn detail(decision: Decision) -> String {
    match decision {
        Decision::Deny(denial) => denial.detail,
        other => panic!("{other:?}"),
    }
}
