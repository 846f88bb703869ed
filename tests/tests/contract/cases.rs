//! Declarations of a policy, its acts, and their outcomes.

use serde_json::{Value, json};

/// A line of the table.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The policy's declarations: a part of the settings of
    /// `fixtures/declared`.
    pub(crate) declares: Value,
    /// The acts it is asked to do, and the answer.
    pub(crate) asks: Value,
    /// `allow`, `abstain`, the code of a denial, or [`NOT_LOADED`].
    pub(crate) expected: &'static str,
}

/// The policy is refused when it is loaded.
pub(crate) const NOT_LOADED: &str = "is not loaded";

const VIOLATION: &str = "contract-violation";
const TOO_MANY: &str = "host-calls-exceeded";

/// The principal and the message that an earlier policy established.
pub(crate) const PRINCIPAL: &str = "established";
pub(crate) const MESSAGE: &str = "message";

/// All of them. Those that declare the same stand together: the policy is
/// compiled once for them.
pub(crate) fn cases() -> Vec<Case> {
    let tables = [answers(), denials(), changes(), principals(), calls(), inputs(), manifests()];
    let mut cases: Vec<_> = tables.into_iter().flatten().collect();
    cases.sort_by_key(|case| case.declares.to_string());
    cases
}

fn case(name: impl Into<String>, mut asks: Value, expected: &'static str) -> Case {
    let declares = asks.as_object_mut().and_then(|asks| asks.remove("declares"));
    Case { name: name.into(), declares: declares.unwrap_or(json!({})), asks, expected }
}

fn abstaining(declares: Value, does: &[&str]) -> Value {
    json!({ "declares": declares, "does": does, "answers": { "abstain": {} } })
}

fn answers() -> Vec<Case> {
    let allow = json!({ "allow": {} });
    let with_facts = json!({ "allow": { "facts": MESSAGE } });
    vec![
        case("abstains", json!({ "answers": { "abstain": {} } }), "abstain"),
        case("allows, declared", json!({ "declares": { "vouches": true }, "answers": allow }), "allow"),
        case("allows, undeclared", json!({ "answers": allow }), VIOLATION),
        case("sets facts, declared", json!({ "declares": { "vouches": true }, "answers": with_facts }), "allow"),
        case("sets facts, undeclared", json!({ "answers": with_facts }), VIOLATION),
        case(
            "a fact beyond its bound",
            json!({ "declares": { "vouches": true }, "answers": { "allow": { "facts": "f".repeat(1_025) } } }),
            VIOLATION,
        ),
    ]
}

fn denials() -> Vec<Case> {
    let status = |status: u16, expected| {
        case(format!("status {status}"), json!({ "answers": { "deny": { "status": status, "code": "no" } } }), expected)
    };
    let code = |code: &str, expected| {
        let answers = json!({ "deny": { "status": 403, "code": code } });
        case(format!("code of {} bytes: {}", code.len(), code.escape_debug()), json!({ "answers": answers }), expected)
    };
    let header = |name: &str, value: &str, expected| {
        let answers = json!({ "deny": { "status": 403, "code": "no", "headers": [[name, value]] } });
        let name = format!("header `{}` of {} bytes: {}", name.escape_debug(), value.len(), value.escape_debug());
        case(name, json!({ "answers": answers }), expected)
    };
    let headers = |count, expected| {
        let headers: Vec<_> = (0..count).map(|_| ["x-a", "1"]).collect();
        let answers = json!({ "deny": { "status": 403, "code": "no", "headers": headers } });
        case(format!("{count} headers"), json!({ "answers": answers }), expected)
    };
    const LONGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const LONGER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut cases = vec![
        status(200, "no"),
        status(204, "no"),
        status(301, "no"),
        status(403, "no"),
        status(599, "no"),
        status(0, VIOLATION),
        status(99, VIOLATION),
        status(100, VIOLATION),
        status(101, VIOLATION),
        status(199, VIOLATION),
        status(600, VIOLATION),
        status(700, VIOLATION),
        status(999, VIOLATION),
        status(1_000, VIOLATION),
        status(65_535, VIOLATION),
        code("a", "a"),
        code("a-1", "a-1"),
        code(LONGEST, LONGEST),
        code(LONGER, VIOLATION),
        header("x-a", "", "no"),
        header("x-a", &"v".repeat(4_096), "no"),
        header("x-a", &"v".repeat(4_097), VIOLATION),
        header("www-authenticate", "Basic", "no"),
        header("WWW-Authenticate", "Basic", "no"),
        headers(32, "no"),
        headers(33, VIOLATION),
    ];
    cases.extend(["", "No", "no_", "no no", "nein\n", "é"].map(|text| code(text, VIOLATION)));
    cases.extend(["", "x a", "x:a", "x\n", "é"].map(|name| header(name, "1", VIOLATION)));
    cases.extend(["a\r\nb: c", "\u{0}", "\u{7f}"].map(|value| header("x-a", value, VIOLATION)));
    cases.push(header("x-a", "é", "no"));
    cases.extend(RESERVED.map(|name| header(name, "1", VIOLATION)));
    cases.push(header("Content-Length", "1", VIOLATION));
    cases
}

/// Fields that only servers set.
const RESERVED: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
    "expect",
    "http2-settings",
];

fn changes() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in ["set", "append", "remove"] {
        for (sets, name, expected) in [
            (json!(["x-a"]), "x-a", "abstain"),
            (json!([]), "x-a", VIOLATION),
            (json!(["x-b"]), "x-a", VIOLATION),
            (json!(["x-a"]), "X-A", VIOLATION),
            (json!(["x-a"]), "x-a ", VIOLATION),
        ] {
            let changes = json!([[kind, name, "1"]]);
            let declares = json!({ "sets": sets, "vouches": true });
            let name = format!("{kind} `{name}` where {sets} are declared");
            cases.push(case(
                format!("abstains and {name}"),
                json!({ "declares": declares, "answers": { "abstain": { "changes": changes } } }),
                expected,
            ));
            cases.push(case(
                format!("allows and {name}"),
                json!({ "declares": declares, "answers": { "allow": { "changes": changes } } }),
                if expected == "abstain" { "allow" } else { expected },
            ));
        }
    }
    let changes = |count| {
        let changes: Vec<_> = (0..count).map(|_| ["append", "x-a", "1"]).collect();
        json!({ "declares": { "sets": ["x-a"] }, "answers": { "abstain": { "changes": changes } } })
    };
    let value = |value: &str| json!({ "declares": { "sets": ["x-a"] }, "answers": { "abstain": { "changes": [["set", "x-a", value]] } } });
    cases.extend([
        case("32 changes", changes(32), "abstain"),
        case("33 changes", changes(33), VIOLATION),
        case("a value at its bound", value(&"v".repeat(4_096)), "abstain"),
        case("a value beyond its bound", value(&"v".repeat(4_097)), VIOLATION),
        case("a value with a line break", value("a\r\nb: c"), VIOLATION),
        case("a value that is not ASCII", value("é"), "abstain"),
    ]);
    cases
}

fn principals() -> Vec<Case> {
    let who = |name: &str, principal: Value, expected| {
        let answers = json!({ "allow": { "principal": principal } });
        case(format!("principal: {name}"), json!({ "declares": { "vouches": true }, "answers": answers }), expected)
    };
    let long = |length: usize| "a".repeat(length);
    let many = |count: usize| vec!["a"; count];
    let pairs = |count: usize| vec![["a", "b"]; count];
    vec![
        who("what is usual", json!({ "id": "p", "method": "m", "tenant": "t", "roles": ["r"] }), "allow"),
        who("no id", json!({ "id": "" }), VIOLATION),
        who("an id at its bound", json!({ "id": long(256) }), "allow"),
        who("an id beyond its bound", json!({ "id": long(257) }), VIOLATION),
        who("an id with a control character", json!({ "id": "a\nb" }), VIOLATION),
        who("256 roles", json!({ "id": "p", "roles": many(256) }), "allow"),
        who("257 roles", json!({ "id": "p", "roles": many(257) }), VIOLATION),
        who("257 scopes", json!({ "id": "p", "scopes": many(257) }), VIOLATION),
        who("257 attributes", json!({ "id": "p", "attributes": pairs(257) }), VIOLATION),
        who("a role at its bound", json!({ "id": "p", "roles": [long(1_024)] }), "allow"),
        who("a role beyond its bound", json!({ "id": "p", "roles": [long(1_025)] }), VIOLATION),
        who("a tenant beyond its bound", json!({ "id": "p", "tenant": long(1_025) }), VIOLATION),
        who("a method beyond its bound", json!({ "id": "p", "method": long(1_025) }), VIOLATION),
        who("a scope with a control character", json!({ "id": "p", "scopes": ["\u{7f}"] }), VIOLATION),
        who("an attribute with a control character", json!({ "id": "p", "attributes": [["a", "\u{0}"]] }), VIOLATION),
        who("an attribute's name with one", json!({ "id": "p", "attributes": [["\u{85}", "b"]] }), VIOLATION),
    ]
}

fn calls() -> Vec<Case> {
    let key = json!({ "keys": ["signing"] });
    let hashes = json!({ "keys": ["signing"], "hash_keys": ["hashing"] });
    let reads = |need: Value| {
        let mut declares = key.clone();
        declares.as_object_mut().unwrap().extend(need.as_object().unwrap().clone());
        declares
    };
    let nonces = json!({ "nonces": ["nonces"] });
    let quota = json!({ "quotas": ["quota"] });
    let mut cases = vec![
        case("verifies", abstaining(key.clone(), &["verify"]), "abstain"),
        case("verifies 32 candidates", abstaining(key.clone(), &["verify:32"]), "abstain"),
        case("verifies 33 candidates", abstaining(key.clone(), &["verify:33"]), TOO_MANY),
        case("verifies, undeclared", abstaining(json!({}), &["verify"]), VIOLATION),
        case("verifies by a key for hashes", abstaining(json!({ "hash_keys": ["hashing"] }), &["verify"]), VIOLATION),
        case("hashes", abstaining(hashes, &["hash"]), "abstain"),
        case("hashes, undeclared", abstaining(key.clone(), &["hash"]), VIOLATION),
        case(
            "hashes by a key that verifies",
            abstaining(json!({ "keys": ["signing", "other"] }), &["hash"]),
            VIOLATION,
        ),
        case("verifies the body, undeclared", abstaining(key.clone(), &["verify-body"]), VIOLATION),
        case(
            "verifies the body, on the host",
            abstaining(reads(json!({ "on_host": true })), &["verify-body"]),
            "abstain",
        ),
        case(
            "verifies the body, digested",
            abstaining(reads(json!({ "digests": ["sha256"] })), &["verify-body"]),
            "abstain",
        ),
        case("verifies the body, as bytes", abstaining(reads(json!({ "bytes": 64 })), &["verify-body"]), "abstain"),
        case("logs", abstaining(json!({}), &["log:16"]), "abstain"),
        case("logs without end", abstaining(json!({}), &["log:1001"]), TOO_MANY),
        case("calls 1,000 times", abstaining(quota.clone(), &["limit:1000"]), "abstain"),
        case("calls 1,001 times", abstaining(quota.clone(), &["limit:1001"]), TOO_MANY),
        case("claims a nonce at its bound", abstaining(nonces.clone(), &["claim-nonce:1024"]), "abstain"),
        case("claims a nonce beyond its bound", abstaining(nonces.clone(), &["claim-nonce:1025"]), TOO_MANY),
        case("takes for a subject at its bound", abstaining(quota.clone(), &["take-for:1024"]), "abstain"),
        case("takes for a subject beyond its bound", abstaining(quota.clone(), &["take-for:1025"]), TOO_MANY),
    ];
    for act in ["claim-delivery", "claim-nonce", "on-duplicate"] {
        cases.push(case(act, abstaining(nonces.clone(), &[act]), "abstain"));
        cases.push(case(format!("{act}, undeclared"), abstaining(json!({}), &[act]), VIOLATION));
    }
    for act in ["take", "take-for", "limit"] {
        cases.push(case(act, abstaining(quota.clone(), &[act]), "abstain"));
        cases.push(case(format!("{act}, undeclared"), abstaining(json!({}), &[act]), VIOLATION));
    }
    for act in ["retry-after", "remaining", "reset-after"] {
        cases.push(case(format!("{act} after a take"), abstaining(quota.clone(), &["take", act]), "abstain"));
        cases.push(case(format!("{act} before a take"), abstaining(quota.clone(), &[act]), VIOLATION));
        cases.push(case(format!("{act}, undeclared"), abstaining(json!({}), &[act]), VIOLATION));
    }
    for (index, declares, act) in [("key", key, "verify"), ("space", nonces, "on-duplicate"), ("quota", quota, "take")]
    {
        let mut settings = abstaining(declares, &[act]);
        settings[index] = json!(1);
        cases.push(case(format!("{act}, by an index of 1 where one is declared"), settings, VIOLATION));
    }
    cases
}

fn inputs() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, declares) in [
        ("principal", json!({ "parts": true })),
        ("facts", json!({ "parts": true })),
        ("method", json!({ "parts": true })),
        ("route", json!({ "parts": true })),
        ("body", json!({ "bytes": 64 })),
        ("body", json!({ "digests": ["sha512"] })),
        ("header", json!({ "headers": ["x-a"] })),
        ("query", json!({ "query": ["a"] })),
    ] {
        let act = format!("sees-{what}");
        cases.push(case(format!("sees the {what}, declared as {declares}"), abstaining(declares, &[&act]), "seen"));
        cases.push(case(format!("sees the {what}, undeclared"), abstaining(json!({}), &[&act]), "abstain"));
    }
    let on_host = json!({ "on_host": true });
    cases.push(case("sees the body that stays on the host", abstaining(on_host, &["sees-body"]), "abstain"));
    cases.push(case("a body beyond what it takes", abstaining(json!({ "bytes": 3 }), &[]), "body-too-large"));
    cases.push(case("a header that comes twice", abstaining(json!({ "headers": ["x-b"] }), &[]), "duplicate-header"));
    let twice = json!({ "query": ["b"] });
    cases.push(case("a parameter that comes twice", abstaining(twice, &[]), "duplicate-query-parameter"));
    cases
}

fn manifests() -> Vec<Case> {
    let declares = |name: String, declares: Value, expected| case(name, abstaining(declares, &[]), expected);
    let mut cases = Vec::new();
    for list in ["headers", "query", "keys", "nonces", "quotas", "sets"] {
        cases.push(declares(format!("{list}: two"), json!({ list: ["x-c", "x-d"] }), "abstain"));
        cases.push(declares(format!("{list}: one twice"), json!({ list: ["x-c", "x-d", "x-c"] }), NOT_LOADED));
        let many = |count: usize| (0..count).map(|number| format!("x-{number}")).collect::<Vec<_>>();
        cases.push(declares(format!("{list}: 64"), json!({ list: many(64) }), "abstain"));
        cases.push(declares(format!("{list}: 65"), json!({ list: many(65) }), NOT_LOADED));
    }
    for list in ["headers", "sets"] {
        for name in ["X-A", "", "x a", "x:a", "é"] {
            cases.push(declares(format!("{list}: `{name}`"), json!({ list: [name] }), NOT_LOADED));
        }
    }
    cases.extend(RESERVED.map(|name| declares(format!("sets `{name}`"), json!({ "sets": [name] }), NOT_LOADED)));
    for (digests, expected) in [
        (json!(["sha256", "sha512"]), "abstain"),
        (json!(["sha512", "sha256"]), "abstain"),
        (json!(["sha256", "sha256"]), NOT_LOADED),
        (json!(["sha512", "sha512"]), NOT_LOADED),
        (json!(["sha256", "sha512", "sha256"]), NOT_LOADED),
    ] {
        cases.push(declares(format!("digests {digests}"), json!({ "digests": digests }), expected));
    }
    let bytes_max = 64 * 1_024 * 1_024;
    cases.push(declares("the longest body".to_owned(), json!({ "bytes": bytes_max }), "abstain"));
    cases.push(declares("a longer body".to_owned(), json!({ "bytes": bytes_max + 1 }), NOT_LOADED));
    cases
}
