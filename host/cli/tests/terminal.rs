//! Text written by others does not control the terminal of its reader.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{folder, run};

/// Whether `text` has anything that a terminal would act upon, except line breaks.
fn commands(text: &str) -> bool {
    text.chars().any(|char| char.is_control() && char != '\n' || ('\u{202a}'..='\u{202e}').contains(&char))
}

#[test]
fn names_and_problems_are_shown_and_not_obeyed() {
    let escape = r"\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e";
    for rules in [
        format!("version = 1\n[[routes]]\nname = \"a{escape}\"\npublic = true\n"),
        format!("version = 1\n[policies.\"a{escape}\"]\ncomponent = \"stock:none\"\n"),
        format!("version = 1\n[listen.\"a{escape}\"]\nkind = \"ext-authz\"\naddress = \"unix:a\"\n"),
        format!("version = 1\n[[routes]]\nname = \"a\"\nchain = [\"{escape}\"]\n"),
        format!("version = 1\n[[routes]]\nname = \"a\"\npublic = true\nmatch = {{ methods = [\"{escape}\"] }}\n"),
        format!("version = 1\n[\"{escape}\"]\n"),
    ] {
        let folder = folder(&[("barmkin.toml", &rules)]);
        for arguments in [&["check"][..], &["eval", "--path", "/"]] {
            let ended = run(folder.path(), arguments);
            assert_ne!(ended.code, Some(0), "{rules}");
            assert!(!commands(&ended.out) && !commands(&ended.err), "{arguments:?}: {:?} {:?}", ended.out, ended.err);
            assert!(ended.err.contains(r"\u001b"), "{:?}", ended.err);
        }
    }
}

#[test]
fn a_request_is_shown_and_not_obeyed() {
    let rules = "version = 1\n[[routes]]\nname = \"a\"\npublic = true\n";
    let folder = folder(&[("barmkin.toml", rules), ("\u{1b}[2J.json", "{}")]);
    for arguments in [
        &["eval", "--path", "/", "--method", "\u{1b}[2J"][..],
        &["eval", "--url", "\u{1b}[2J"],
        &["eval", "--request", "\u{1b}[2J.json"],
        &["eval", "--path", "/", "--header", "\u{1b}[2J: x"],
    ] {
        let ended = run(folder.path(), arguments);
        assert!(!commands(&ended.out) && !commands(&ended.err), "{arguments:?}: {:?}", ended.err);
    }
}
