//! Lists of settings in files of their own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_host::{Engine, EngineSettings, MemoryStore, Services};
use support::{folder, load, relative, report};

const HASH: &str = "9e107d9d372bb6826bd81d3542a419d6277bb8d4e6b1f1f1c2d3e4f5a6b7c8d9";

fn configuration(more: &str) -> String {
    format!(
        r#"version = 1
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{{ id = "1", from = "file:pepper" }}]
[policies.callers]
component = "stock:api-key"
{more}
grants = {{ keys = {{ pepper = "pepper" }}, vouch = true }}
[[routes]]
name = "api"
chain = ["callers"]
"#
    )
}

fn entry(id: &str, more: &str) -> String {
    format!(r#"{{"id":"{id}","hash":"{}"{more}}}"#, HASH.replacen('9', &format!("{:x}", id.len()), 1))
}

const TABLE: &str = r#"tables = { keys = "file:keys.jsonl" }"#;

/// The report on `lines` as the file of keys; empty when it can be used.
fn problems(lines: &str) -> String {
    let folder = folder(&[("barmkin.toml", &configuration(TABLE)), ("pepper", "a pepper"), ("keys.jsonl", lines)]);
    let settings = EngineSettings { concurrent_checks_max: 8, warm_slots: 8, ..EngineSettings::default() };
    let built = load(&folder).and_then(|config| {
        config.build(&Engine::new(&settings).unwrap(), Services::new(MemoryStore::default())).map(drop)
    });
    built.map_or_else(|report| relative(folder.path(), &report.to_string()), |()| String::new())
}

#[test]
fn a_problem_with_an_entry_names_its_line() {
    for (second, expected) in [
        (entry("ab", r#","roels":["reader"]"#), "keys.jsonl:3:1: "),
        (r#"["ab", "hash"]"#.to_owned(), "keys.jsonl:3:1: this line is not an entry: invalid type: sequence"),
        (
            entry("ab", r#","roles":[],"roles":["admin"]"#),
            "keys.jsonl:3:1: this line is not an entry: `roles` stands in it twice",
        ),
        (entry("ab", r#","expires":"tomorrow""#), "keys.jsonl:3:1: "),
        ("{\"id\":".to_owned(), "keys.jsonl:3:1: this line is not an entry"),
        (entry("a", ""), "keys.jsonl:3:1: "),
    ] {
        // A blank line counts as a line, and as no entry.
        let report = problems(&format!("{}\n\n{second}\n", entry("a", "")));
        assert!(report.contains(expected), "`{expected}` is not in:\n{report}");
    }
    assert_eq!(problems(&format!("{}\n\n{}", entry("a", ""), entry("ab", r#","principal":"a","tenant":"t""#))), "");
    assert_eq!(problems(""), "");
}

#[test]
fn what_cannot_be_read_is_reported_where_it_is_named() {
    for (more, expected) in [
        (TABLE, "barmkin.toml:7:19: `keys.jsonl` cannot be read"),
        (r#"tables = { keys = "keys.jsonl" }"#, "barmkin.toml:7:19: `keys.jsonl` does not say where the entries are"),
        (
            "tables = { keys = \"file:pepper\" }\nsettings = { keys = [] }",
            "barmkin.toml:7:19: `keys` stands in the settings, too",
        ),
    ] {
        let report = report(&folder(&[("barmkin.toml", &configuration(more)), ("pepper", "a pepper")]));
        assert!(report.contains(expected), "`{expected}` is not in:\n{report}");
    }
}

#[test]
fn a_byte_order_mark_is_named() {
    let keys = format!("\u{feff}{}\n", entry("a", ""));
    assert!(problems(&keys).contains("`keys.jsonl` begins with a byte order mark"), "{}", problems(&keys));
}

/// A key that is added or revoked is a change of the configuration.
#[test]
fn the_file_is_watched() {
    let folder = folder(&[("barmkin.toml", &configuration(TABLE)), ("pepper", "a pepper"), ("keys.jsonl", "")]);
    let digest = || {
        let options = barmkin_config::LoadOptions::at(support::NOW);
        barmkin_config::Config::read(folder.path().join("barmkin.toml"), &options).1.digest()
    };
    let before = digest();
    std::fs::write(folder.path().join("keys.jsonl"), entry("a", "")).unwrap();
    assert_ne!(before, digest());
}

/// It would reach the upstream by a proxy that forwards the query as it came.
#[test]
fn a_key_in_the_query_is_warned_of_and_needs_a_way_in_that_removes_it() {
    let place = r#"settings = { keys = [], places = [{ query = "key" }] }"#;
    let served = |kind: &str| {
        let listener = format!("[listen.edge]\nkind = \"{kind}\"\naddress = \"127.0.0.1:0\"\n");
        let more = match kind {
            "forward-auth" => "dialect = \"envoy-http\"\ntrusted-proxies = [\"127.0.0.1\"]\n",
            "reverse-proxy" => "upstream = \"http://127.0.0.1:1\"\n",
            _ => "",
        };
        let text = configuration(place).replacen("version = 1\n", &format!("version = 1\n{listener}{more}"), 1);
        let folder = folder(&[("barmkin.toml", &text), ("pepper", "a pepper")]);
        let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
        let warnings: String = config.warnings().iter().map(ToString::to_string).collect();
        assert!(warnings.contains("keys in the query parameter `key` are in the logs of everybody"), "{warnings}");
        let settings = EngineSettings { concurrent_checks_max: 8, warm_slots: 8, ..EngineSettings::default() };
        let built = config.build(&Engine::new(&settings).unwrap(), Services::new(MemoryStore::default()));
        built.map_or_else(|report| report.to_string(), |_| String::new())
    };
    assert_eq!(served("reverse-proxy"), "");
    assert_eq!(served("ext-authz"), "");
    assert!(served("forward-auth").contains("reads a key in the query, which proxies that ask listener `edge` would"));
}
