//! Files that cannot be read, and what is included.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use support::{folder, load, report, report_of, write};

#[test]
fn a_missing_file_is_named() {
    assert_eq!(
        report(&folder(&[])),
        "barmkin.toml: `barmkin.toml` cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn malformed_toml_is_reported_where_it_begins() {
    assert_eq!(
        report_of("version = 1\n[listen.edge\nkind = = 2\n"),
        "barmkin.toml:2:13: this is not TOML: unclosed table, expected `]`\n  help: correct it here, or what it follows on the lines before"
    );
}

#[test]
fn text_that_is_not_utf8_is_reported_with_its_first_bad_byte() {
    let folder = folder(&[]);
    write(&folder, "barmkin.toml", b"version = 1\n# caf\xc3\xa9 \xff\n", 0o600);
    assert_eq!(report(&folder), "barmkin.toml:2:8: the file is not UTF-8\n  help: save it as UTF-8");
}

#[test]
fn the_version_is_said() {
    assert_eq!(
        report_of("[forward]\n"),
        "barmkin.toml:1:1: the file does not say its version\n  help: begin it with `version = 1`"
    );
    assert_eq!(
        report_of("\nversion = 2\n"),
        "barmkin.toml:2:11: this release reads version 1 only\n  help: write `version = 1`"
    );
}

#[test]
fn unknown_keys_are_reported_all_at_once_with_the_near_one() {
    let text = r#"version = 1
lisen = 1
[fleet]
address = "127.0.0.1:1"
[quotas.q]
rate = "1/s"
key = "route"
brust = 2
[[routes]]
name = "r"
public = true
match = { hosts = "a", path.exat = "/" }
chain = [{ anyof = ["x"], shadow = "y" }]
[policies.y]
component = "stock:rate-quota"
settings = { anything = "goes" }
on_error = "deny"
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:2:1: there is no key `lisen` here\n  help: did you mean `listen`\n\
         barmkin.toml:3:2: there is no key `fleet` here\n  help: remove it, or use one of `admin`, `cache`, `errors`, `forward`, `health`, `include`, `keys`, `limits`, `listen`, `nonces`, `pin`, `policies`, `quotas`, `routes`, `shutdown`, `store`, `upstreams`, `version`\n\
         barmkin.toml:8:1: there is no key `brust` here\n  help: did you mean `burst`\n\
         barmkin.toml:12:11: there is no key `hosts` here\n  help: did you mean `host`\n\
         barmkin.toml:12:24: a path is either `exact` or a `prefix`\n  help: write `path.exact = \"/..\"` or `path.prefix = \"/..\"`\n\
         barmkin.toml:12:29: there is no key `exat` here\n  help: did you mean `exact`\n\
         barmkin.toml:13:12: there is no key `anyof` here\n  help: did you mean `any-of`\n\
         barmkin.toml:17:1: there is no key `on_error` here\n  help: did you mean `on-error`"
    );
}

#[test]
fn values_of_the_wrong_kind_are_reported_where_they_are() {
    let text = r#"version = 1
keys = "none"
routes = { name = "r" }
[quotas.q]
rate = 100
key = "route"
[quotas.r]
key = "route"
[nonces.n]
on-duplicate = "ignore"
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:2:8: this must be a table with a name for each key\n  help: write `[keys.NAME]` above each of them\n\
         barmkin.toml:3:1: routes are a list\n  help: write `[[routes]]` above each of them\n\
         barmkin.toml:5:8: the number `100` cannot be written here\n  help: write text: a whole number from 1 to 1000000 per s, min, h or day, such as `100/min`\n\
         barmkin.toml:7:9: a quota by `gcra` needs a `rate`\n  help: write it as `100/min`\n\
         barmkin.toml:10:16: `ignore` is none of what can be written here\n  help: use one of `deny`, `acknowledge`, `mark`"
    );
}

#[test]
fn included_files_count_as_one() {
    let folder = folder(&[
        ("barmkin.toml", "version = 1\ninclude = [\"more/*.toml\"]\n[quotas.a]\nrate = \"1/s\"\nkey = \"route\"\n"),
        ("more/b.toml", "[quotas.b]\nrate = \"2/s\"\nkey = \"route\"\n"),
        ("more/c.toml", "include = [\"deep/d.toml\"]\n"),
        (
            "more/deep/d.toml",
            "[keys.k]\nalgorithm = \"hmac-sha256\"\nsecrets = [{ id = \"1\", from = \"file:secret\" }]\n",
        ),
        ("more/deep/secret", "beside the file that names it"),
    ]);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.spec().quotas.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_name_declared_twice_shows_both_places() {
    let quota = "[quotas.a]\nrate = \"1/s\"\nkey = \"route\"\n";
    let route = "[[routes]]\nname = \"r\"\npublic = true\n";
    let main = format!("version = 1\ninclude = [\"b.toml\"]\n[forward]\n{quota}{route}");
    let more = format!("{quota}[forward]\n\n{route}");
    assert_eq!(
        report(&folder(&[("barmkin.toml", &main), ("b.toml", &more)])),
        "b.toml:1:9: quota `a` is declared twice\n  help: it is also declared at barmkin.toml:4:9\n\
         b.toml:4:2: `[forward]` is declared twice\n  help: it is also declared at barmkin.toml:3:2\n\
         b.toml:7:8: route `r` is declared twice\n  help: it is also declared at barmkin.toml:8:8"
    );
}

#[test]
fn an_include_that_means_nothing_is_an_error() {
    let main = r#"version = 1
include = [
    "barmkin.toml",
    "absent.toml",
    "/etc/passwd",
    "b.toml",
    "[",
]
"#;
    let found = report(&folder(&[("barmkin.toml", main), ("b.toml", "include = [\"barmkin.toml\"]\n")]));
    assert_eq!(
        found,
        "b.toml:1:12: `barmkin.toml` is included twice, or includes itself\n  help: include each file once\n\
         barmkin.toml:3:5: `barmkin.toml` is included twice, or includes itself\n  help: include each file once\n\
         barmkin.toml:4:5: no file matches `absent.toml`\n  help: create it, or remove it from `include`\n\
         barmkin.toml:5:5: `/etc/passwd` is an absolute path\n  help: name included files relative to this one\n\
         barmkin.toml:7:5: `[` is not a pattern for files: invalid range pattern"
    );
}

#[test]
fn names_are_plain() {
    assert_eq!(
        report_of("version = 1\n[quotas.\"stock:x\"]\nrate = \"1/s\"\nkey = \"route\"\n"),
        "barmkin.toml:2:9: `stock:x` is not a name for a quota\n  help: use ASCII letters, digits, `-`, `_` and `.`"
    );
}

/// Opening a FIFO waits for somebody to write to it; a device may have no end.
#[test]
fn whatever_is_named_must_be_a_file_and_is_not_waited_for() {
    const WHOLE: &str = r#"version = 1
include = ["more.toml"]
[listen.edge]
kind = "reverse-proxy"
address = "127.0.0.1:0"
upstream = "http://127.0.0.1:1"
tls = { certificate = "gate.pem", key = "gate.key" }
[keys.k]
algorithm = "hmac-sha256"
secrets = [{ id = "1", from = "file:secret" }]
[policies.p]
component = "file:p.wasm"
[store]
kind = "redis"
url = "redis://127.0.0.1:1"
password = "file:password"
"#;
    type Make = (&'static str, fn(&std::path::Path));
    let make: [Make; 3] = [
        ("a FIFO", |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a folder", |path| std::fs::create_dir(path).unwrap()),
        ("a device", |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
    ];
    for name in ["barmkin.toml", "more.toml", "gate.pem", "gate.key", "secret", "p.wasm", "password"] {
        for (kind, make) in make {
            let folder = folder(&[
                ("barmkin.toml", WHOLE),
                ("more.toml", ""),
                ("gate.pem", ""),
                ("gate.key", ""),
                ("secret", "secret"),
                ("p.wasm", ""),
                ("password", "secret"),
            ]);
            let path = folder.path().join(name);
            std::fs::remove_file(&path).unwrap();
            make(&path);
            let (sender, reported) = std::sync::mpsc::channel();
            std::thread::spawn(move || sender.send(report(&folder)));
            let report = reported.recv_timeout(std::time::Duration::from_secs(20));
            let report = report.unwrap_or_else(|_| panic!("{kind} as {name} is waited for"));
            let told = report.lines().any(|line| line.contains(name) && line.contains(&format!("it is {kind}, not a")));
            assert!(told, "{kind} as {name}: {report}");
        }
    }
}
