//! Whom a quota counts: keys, principals and tenants are three things.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use barmkin_config::{Config, LoadOptions};
use barmkin_host::*;
use barmkin_tests::harness::keyed_hash;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const PEPPER: &str = "a pepper of the tests";

/// Two keys of one principal, another principal of its tenant, and two
/// principals without a tenant.
const CALLERS: [(&str, &str, &str); 5] =
    [("a1", "a", "t"), ("a2", "a", "t"), ("b", "b", "t"), ("c", "c", ""), ("t", "t", "")];

/// A gate that lets in one request a day of each that `key` tells apart.
fn gate(key: &str) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let entry = |(id, principal, tenant): &(&str, &str, &str)| {
        let tenant = Some(tenant).filter(|tenant| !tenant.is_empty());
        serde_json::json!({ "id": id, "hash": keyed_hash(PEPPER, id), "principal": principal, "tenant": tenant })
    };
    write("pepper", PEPPER.to_owned());
    write("keys.jsonl", CALLERS.iter().map(|caller| format!("{}\n", entry(caller))).collect());
    let configuration = r#"version = 1
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{ id = "1", from = "file:pepper" }]
[quotas.daily]
algorithm = "fixed-window"
rate = "1/day"
key = "KEY"
[policies.callers]
component = "stock:api-key"
tables = { keys = "file:keys.jsonl" }
grants = { keys = { pepper = "pepper" }, vouch = true }
[[routes]]
name = "api"
chain = ["callers", "stock:rate-quota"]
"#;
    write("barmkin.toml", configuration.replace("KEY", key));
    let now = LoadOptions::at(Duration::from_secs(1_795_478_400));
    let config = Config::load(folder.path().join("barmkin.toml"), &now).unwrap_or_else(|report| panic!("{report}"));
    let settings = EngineSettings { concurrent_checks_max: 8, warm_slots: 8, ..EngineSettings::default() };
    let engine = Engine::new(&settings).unwrap();
    Gate::new(config.build(&engine, Services::new(MemoryStore::default())).unwrap())
}

/// The callers that are let in when each asks once, in their order.
fn let_in(key: &str) -> String {
    let gate = gate(key);
    let ask = |id: &&str| {
        let head = Head {
            method: http::Method::GET,
            version: http::Version::HTTP_11,
            scheme: "https",
            authority: Some("h".to_owned()),
            target: "/".to_owned(),
            headers: [(http::HeaderName::from_static("x-api-key"), id.parse().unwrap())].into_iter().collect(),
            client: Client::default(),
        };
        match gate.check_now(head, Body::Whole(b"".as_slice().into())).unwrap() {
            Verdict::Allow(_) => true,
            Verdict::Deny(denial) => {
                assert_eq!(denial.reason().as_str(), "over-quota");
                false
            }
        }
    };
    CALLERS.iter().map(|(id, ..)| id).filter(|id| ask(id)).copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_quota_counts_principals_or_tenants_and_never_keys() {
    assert_eq!(let_in("principal"), "a1 b c t");
    // A principal whose name is that of a tenant is not the tenant.
    assert_eq!(let_in("tenant"), "a1 c t");
}
