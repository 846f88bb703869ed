//! The rule, on the native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_guest::test::{Policy, Request};
use barmkin_guest::types::{Decision, Principal, SettingProblem};
use barmkin_rbac_scopes::Settings;
use serde_json::{Value, json};

fn shop() -> Value {
    json!({
        "roles": {
            "viewer": { "scopes": ["orders:read"] },
            "editor": { "inherits": ["viewer"], "scopes": ["orders:write"] },
            "admin": { "inherits": ["editor"], "scopes": ["admin"] },
        },
        "rules": [
            { "methods": ["GET"], "path": "/v1/orders/{id}", "scopes": ["orders:read"] },
            { "methods": ["PUT"], "path": "/v1/orders/*", "scopes": ["orders:read", "orders:write"] },
            { "path": "/v1/reports/**", "any-scope": ["reports", "admin"] },
            { "path": "/v1/admin/**", "scopes": ["admin"] },
            { "path": "/v1/**" },
        ],
    })
}

#[test]
fn roles_inherit_scopes() {
    let policy = configure(&shop()).unwrap();
    let code = |role: &str, method: &str| {
        let request = Request::new(method, "/v1/orders/7").principal(with_role(role));
        policy.check(&request).code().map(str::to_owned)
    };
    assert_eq!(code("admin", "PUT"), None);
    assert_eq!(code("editor", "PUT"), None);
    assert_eq!(code("viewer", "GET"), None);
    assert_eq!(code("viewer", "PUT").as_deref(), Some("insufficient-scope"));
    assert_eq!(code("stranger", "GET").as_deref(), Some("insufficient-scope"));
}

#[test]
fn scopes_of_the_principal_count_as_those_of_its_roles() {
    let policy = configure(&shop()).unwrap();
    let mut principal = with_role("viewer");
    principal.scopes = vec!["orders:write".to_owned()];
    let request = Request::new("PUT", "/v1/orders/7").principal(principal);
    assert_eq!(policy.check(&request).code(), None);
}

#[test]
fn who_has_too_little_is_told_what_is_needed() {
    let policy = configure(&shop()).unwrap();
    let challenge = |method: &str, path: &str| {
        let request = Request::new(method, path).principal(with_role("viewer"));
        let Decision::Deny(denial) = policy.check(&request) else { panic!("{path} was let in") };
        assert_eq!(denial.status, 403);
        denial.headers.into_iter().map(|header| header.value).collect::<Vec<_>>()
    };
    assert_eq!(
        challenge("PUT", "/v1/orders/7"),
        ["Bearer error=\"insufficient_scope\", scope=\"orders:read orders:write\""]
    );
    assert_eq!(challenge("GET", "/v1/reports/2026"), ["Bearer error=\"insufficient_scope\", scope=\"reports\""]);
}

#[test]
fn what_no_rule_speaks_of_is_denied() {
    let policy = configure(&shop()).unwrap();
    let request = Request::get("/v2").principal(with_role("admin"));
    assert_eq!(policy.check(&request).code(), Some("no-rule"));
    assert_eq!(policy.check(&Request::get("/v1")).code(), Some("missing-principal"));
}

#[test]
fn a_slash_at_the_end_and_another_case_open_nothing() {
    let policy = configure(&shop()).unwrap();
    let code = |path: &str| {
        let request = Request::get(path).principal(with_role("viewer"));
        policy.check(&request).code().map(str::to_owned)
    };
    assert_eq!(code("/v1/admin").as_deref(), Some("insufficient-scope"));
    assert_eq!(code("/v1/admin/").as_deref(), Some("insufficient-scope"));
    assert_eq!(code("/v1/Admin/x").as_deref(), Some("ambiguous-path"));
    assert_eq!(code("/V1/anything").as_deref(), Some("ambiguous-path"));
    assert_eq!(code("/v1/Anything"), None);
}

#[test]
fn a_rule_is_the_same_however_its_path_is_spelled() {
    for path in ["/v1/users:delete", "/v1/users%3adelete", "/v1/%75sers%3Adelete"] {
        let rules = json!({ "rules": [{ "path": path, "scopes": ["admin"] }, { "path": "/v1/**" }] });
        let policy = configure(&rules).unwrap();
        // As the host has it, whatever was sent.
        let request = Request::get("/v1/users:delete").principal(with_role("viewer"));
        assert_eq!(policy.check(&request).code(), Some("insufficient-scope"), "{path}");
    }
    let policy = configure(&json!({ "rules": [{ "path": "/%2A", "scopes": ["admin"] }, { "path": "/**" }] })).unwrap();
    let code = |path| policy.check(&Request::get(path).principal(with_role("viewer"))).code().map(str::to_owned);
    assert_eq!((code("/*").as_deref(), code("/a")), (Some("insufficient-scope"), None));
}

#[test]
fn a_rule_for_get_is_for_head_unless_another_names_it() {
    let rule = |methods: &[&str], scope: &str| json!({ "methods": methods, "path": "/a", "scopes": [scope] });
    let code = |rules: Value, method: &str| {
        let policy = configure(&json!({ "roles": { "r": { "scopes": ["get"] } }, "rules": rules })).unwrap();
        policy.check(&Request::new(method, "/a").principal(with_role("r"))).code().map(str::to_owned)
    };
    assert_eq!(code(json!([rule(&["GET"], "get")]), "HEAD"), None);
    assert_eq!(code(json!([rule(&["GET"], "get"), rule(&[], "all")]), "HEAD"), None);
    let named = json!([rule(&["GET"], "get"), rule(&["HEAD"], "head")]);
    assert_eq!(code(named.clone(), "HEAD").as_deref(), Some("insufficient-scope"));
    assert_eq!(code(named, "GET"), None);
    assert_eq!(code(json!([rule(&["GET"], "get")]), "POST").as_deref(), Some("no-rule"));
}

#[test]
fn it_vouches_only_where_it_is_told_to() {
    let request = Request::get("/v1/x").principal(with_role("viewer"));
    let policy = configure(&shop()).unwrap();
    assert!(matches!(policy.check(&request), Decision::Abstain(_)));
    let mut settings = shop();
    settings["vouch"] = json!(true);
    let policy = configure(&settings).unwrap();
    let Decision::Allow(allowance) = policy.check(&request) else { panic!("it was not let in") };
    assert_eq!(allowance.principal, None, "who asks is known already");
}

#[test]
fn what_is_wrong_with_settings_is_said_where_it_is() {
    let rule = |path: &str| json!({ "path": path });
    for (rules, expected) in [
        (json!([rule("v1")]), "rules.0.path"),
        (json!([rule("/v1/")]), "rules.0.path"),
        (json!([rule("/v1//x")]), "rules.0.path"),
        (json!([rule("/v1/x*")]), "rules.0.path"),
        (json!([rule("/**/x")]), "rules.0.path"),
        (json!([rule("/a b")]), "rules.0.path"),
        (json!([rule("/a?b")]), "rules.0.path"),
        (json!([rule("/a/../b")]), "rules.0.path"),
        (json!([rule("/a%2fb")]), "rules.0.path"),
        (json!([rule("/a;b")]), "rules.0.path"),
        (json!([rule("/%2561")]), "rules.0.path"),
        (json!([rule("/a%3Ab"), rule("/a:b")]), "rules.1.path"),
        (json!([rule("/a/{b}"), rule("/a/*")]), "rules.1.path"),
        (json!([rule("/a/x"), rule("/A/y")]), "rules.1.path"),
        (json!([{ "path": "/", "methods": ["get"] }]), "rules.0.methods"),
        (json!([{ "path": "/", "scopes": ["a b"] }]), "rules.0.scopes"),
        (json!([{ "path": "/", "scope": "a" }]), "rules.0.scope"),
    ] {
        let problems = configure(&json!({ "rules": rules })).unwrap_err();
        let at: Vec<_> = problems.iter().map(|problem| problem.setting.as_str()).collect();
        assert_eq!(at, [expected], "{rules}");
    }
}

#[test]
fn a_tie_names_the_other_rule_as_the_settings_count_it() {
    // The first rule has no place, and must not shift the count.
    let rules = json!([{ "path": "v1" }, { "path": "/a/{b}" }, { "path": "/a/*" }]);
    let problems = configure(&json!({ "rules": rules })).unwrap_err();
    let last = problems.last().unwrap();
    assert_eq!((last.setting.as_str(), last.problem.as_str()), ("rules.2.path", "`/a/*` ties with `rules.1`"));
}

fn with_role(role: &str) -> Principal {
    let mut principal = Principal::user("someone");
    principal.roles = vec![role.to_owned()];
    principal
}

fn configure(settings: &Value) -> Result<Policy<Settings>, Vec<SettingProblem>> {
    Policy::configure(&settings.to_string())
}
