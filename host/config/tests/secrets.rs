//! Where secrets come from, and what is wrong with them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::Secrets;
use support::{folder, load, load_with, relative, report, write};

fn key(rest: &str) -> String {
    format!("version = 1\n[keys.k]\nalgorithm = \"hmac-sha256\"\n{rest}\n")
}

fn from(from: &str) -> String {
    key(&format!("secrets = [{{ id = \"a\", from = \"{from}\" }}]"))
}

#[test]
fn a_missing_secret_file_is_an_error() {
    assert_eq!(
        report(&folder(&[("barmkin.toml", &from("file:absent"))])),
        "barmkin.toml:4:31: secret file `absent` cannot be read: No such file or directory (os error 2)\n  help: create it, readable by the user that runs barmkin"
    );
}

#[test]
fn a_secret_file_that_others_can_read_or_write_is_an_error() {
    for (mode, problem) in
        [(0o604, "is readable by everyone (mode 604)"), (0o602, "can be written by everyone (mode 602)")]
    {
        let folder = folder(&[("barmkin.toml", &from("file:s"))]);
        write(&folder, "s", b"secret", mode);
        assert_eq!(
            report(&folder),
            format!("barmkin.toml:4:31: secret file `s` {problem}\n  help: take that away: `chmod o-rwx s`")
        );
    }
}

#[test]
fn what_the_operator_should_know_is_a_warning() {
    let folder = folder(&[
        (
            "barmkin.toml",
            &key(r#"secrets = [
    { id = "new", from = "file:s" },
    { id = "old", from = "file:t", until = "2026-11-24T00:00:00Z" },
    { id = "env", from = "env:PATH" },
]"#),
        ),
        ("t", "x"),
    ]);
    write(&folder, "s", b"secret\n", 0o620);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        relative(folder.path(), &warnings.join("\n")),
        "barmkin.toml:5:26: warning: secret file `s` can be written by its group (mode 620)\n  help: take that away: `chmod g-w s`\n\
         barmkin.toml:5:26: warning: secret file `s` ends with a newline, which is not taken as part of the secret\n  help: write the file without it, for example with `printf %s`\n\
         barmkin.toml:6:44: warning: secret `old` is past its `until` and verifies nothing\n  help: remove it\n\
         barmkin.toml:7:26: warning: secret `env` comes from the environment, so changing it needs a restart\n  help: keep it in a file to rotate it while traffic flows"
    );
}

#[test]
fn an_empty_secret_is_an_error() {
    let empty = "secret `a` is empty\n  help: put the secret there: with an empty key anybody can sign";
    assert_eq!(report(&folder(&[("barmkin.toml", &from("file:s")), ("s", "")])), format!("barmkin.toml:4:31: {empty}"));
    let trimmed = report(&folder(&[("barmkin.toml", &from("file:s")), ("s", "\n")]));
    assert!(trimmed.starts_with(&format!("barmkin.toml:4:31: {empty}")), "{trimmed}");
    assert!(trimmed.contains("barmkin.toml:4:31: warning: secret file `s` ends with a newline"), "{trimmed}");
    assert_eq!(
        report(&folder(&[("barmkin.toml", &key("secrets = []"))])),
        "barmkin.toml:4:11: key `k` has no secret\n  help: give it at least one"
    );
}

#[test]
fn secrets_that_cannot_be_had_are_errors_and_never_shown() {
    let text = key(r#"encoding = "hex"
secrets = [
    { id = "a", from = "vault:x" },
    { id = "a", from = "env:BARMKIN_TEST_THAT_IS_NOT_SET" },
    { id = "c", from = "file:s", until = "tomorrow" },
]"#);
    let found = report(&folder(&[("barmkin.toml", &text), ("s", "hunter2")]));
    let environment = "warning: secret `a` comes from the environment, so changing it needs a restart\n  help: keep it in a file to rotate it while traffic flows";
    assert_eq!(
        found,
        format!(
            "barmkin.toml:6:24: `vault:x` does not say where the secret is\n  help: write `file:` and a path, or `env:` and the name of a variable\n\
             barmkin.toml:7:12: key `k` has two secrets with the id `a`\n  help: give each an id of its own: logs name secrets by it\n\
             barmkin.toml:7:24: environment variable `BARMKIN_TEST_THAT_IS_NOT_SET` is not set\n  help: set it in the environment of barmkin\n\
             barmkin.toml:7:24: {environment}\n\
             barmkin.toml:8:24: the secret is not written in hexadecimal digits\n  help: correct the secret, or the key's `encoding`\n\
             barmkin.toml:8:42: `tomorrow` is not a time\n  help: write a time by RFC 3339, such as `2026-12-01T00:00:00Z`"
        )
    );
}

#[test]
fn a_public_key_must_be_one() {
    let text = "version = 1\n[keys.k]\nalgorithm = \"ed25519\"\nsecrets = [{ id = \"a\", from = \"file:s\" }]\n";
    assert_eq!(
        report(&folder(&[("barmkin.toml", text), ("s", "short")])),
        "barmkin.toml:4:31: secret `a` is not a public key for ed25519\n  help: say in the key's `encoding` how its 32 bytes are written"
    );
}

#[test]
fn without_secrets_nothing_is_read_but_the_rest_is_checked() {
    let text = r#"version = 1
[keys.k]
algorithm = "ed25519"
secrets = [{ id = "a", from = "file:absent" }, { id = "b", from = "env:ABSENT" }]
"#;
    let folder = folder(&[("barmkin.toml", text)]);
    let config = load_with(&folder, Secrets::Placeholders).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings().is_empty());
    write(&folder, "barmkin.toml", from("nowhere").as_bytes(), 0o600);
    assert!(load_with(&folder, Secrets::Placeholders).is_err());
}

/// Taken in silence, each of these is a mismatch for ever.
#[test]
fn what_was_copied_with_a_secret_is_refused_where_it_stands() {
    let text = "version = 1\n[keys.k]\nalgorithm = \"hmac-sha256\"\nsecrets = [{ id = \"1\", from = \"file:s\" }]\n";
    for (secret, problem) in [
        ("\u{feff}secret", "begins with a byte order mark"),
        ("secret\n\n", "ends with an empty line"),
        (" secret", "begins or ends with white space"),
        ("\"secret\"", "is in quotes"),
        ("GITHUB_SECRET=secret", "begins with `GITHUB_SECRET=`"),
    ] {
        let report = report(&folder(&[("barmkin.toml", text), ("s", secret)]));
        let (place, rest) = report.split_once(": ").unwrap();
        assert_eq!(place, "barmkin.toml:4:31", "{report}");
        assert!(rest.starts_with(&format!("the secret {problem}\n  help: ")), "{report}");
    }
}

#[test]
fn a_stock_provider_knows_how_its_secrets_are_written() {
    let with = |provider: &str, encoding: &str, secret: &str| {
        let text = format!(
            "version = 1\n[keys.k]\nalgorithm = \"hmac-sha256\"\nencoding = \"{encoding}\"\n\
             secrets = [{{ id = \"1\", from = \"file:s\" }}]\n\
             [policies.p]\ncomponent = \"stock:webhook-signature\"\nsettings = {{ provider = \"{provider}\" }}\n\
             grants = {{ keys = {{ signing = \"k\" }}, vouch = true }}\n"
        );
        match load(&folder(&[("barmkin.toml", &text), ("s", secret)])) {
            Ok(config) => config.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(report) => report.to_string(),
        }
    };
    assert!(with("stripe", "whsec", "whsec_MfKQ").contains("signs with the text of its secret as it stands"));
    assert!(with("standard-webhooks", "utf8", "whsec_MfKQ").contains("signs with the base64 behind `whsec_`"));
    assert!(with("github", "utf8", "whsec_MfKQ").contains("warning: a secret of key `k` begins with `whsec_`"));
    for (provider, encoding, secret) in [
        ("stripe", "utf8", "whsec_MfKQ"),
        ("standard-webhooks", "whsec", "whsec_MfKQ"),
        ("github", "base64", "c2VjcmV0"),
        ("generic", "whsec", "whsec_MfKQ"),
    ] {
        assert_eq!(with(provider, encoding, secret), "", "{provider} {encoding}");
    }
}

/// Mounted files cannot be changed.
#[test]
fn advice_about_modes_fits_where_the_file_is() {
    let text = "version = 1\n[keys.k]\nalgorithm = \"hmac-sha256\"\nsecrets = [{ id = \"1\", from = \"file:s/s\" }]\n";
    let folder = folder(&[("barmkin.toml", text)]);
    write(&folder, "s/..v1/s", b"secret", 0o644);
    std::os::unix::fs::symlink("..v1", folder.path().join("s/..data")).unwrap();
    std::os::unix::fs::symlink("..data/s", folder.path().join("s/s")).unwrap();
    let report = report(&folder);
    assert!(report.contains("readable by everyone (mode 644)\n  help: a mounted Secret cannot be changed"), "{report}");
    assert!(report.contains("`defaultMode: 0440`") && report.contains("`fsGroup`"), "{report}");
}
