//! The first part of the README, word for word.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use support::webhooks::signature;
use support::{folder, run, run_with};

const README: &str = include_str!("../../../README.md");

/// The block in `language` that follows `heading`.
fn block(heading: &str, language: &str) -> &'static str {
    let (_, after) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, after) = after.split_once(&format!("```{language}\n")).unwrap();
    after.split_once("```\n").unwrap().0
}

#[test]
fn the_first_example_works_as_it_stands() {
    let folder = folder(&[("barmkin.toml", block("Use it", "toml"))]);
    let program = Path::new(env!("CARGO_BIN_EXE_barmkin"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let sh = |commands: &str| {
        let ended = Command::new("sh").args(["-c", commands]).current_dir(folder.path()).env("PATH", &path).output();
        support::Ended::from(ended.unwrap())
    };
    let (setup, commands) = block("Use it", "sh").split_once("\n\n").unwrap();
    assert_eq!(sh(setup).code, Some(0));
    let commands: Vec<_> = commands.lines().collect();
    let [check, allowed, denied, unsigned, serve] = commands.as_slice() else { panic!("{commands:?}") };
    let checked = sh(check);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    for (command, expected) in
        [(allowed, "allow\n"), (denied, "deny no-rule\n"), (unsigned, "deny missing-signature\n")]
    {
        let decided = sh(command);
        assert!(decided.out.starts_with(expected), "{command}: {}{}", decided.out, decided.err);
    }
    assert_eq!(*serve, "barmkin serve");

    // What it promises besides.
    let signed =
        format!("--header=x-hub-signature-256: sha256={}", signature("the secret that GitHub was told", b"{}"));
    let webhook = ["eval", "--json", "--method", "POST", "--path", "/webhooks/github", "--body-file", "-", &signed];
    let decided = run_with(folder.path(), &webhook, b"{}");
    let verdict: Value = serde_json::from_str(&decided.out).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["principal"]), (&"allow".into(), &"github".into()));
    let key = "--header=x-api-key: bk_example";
    let decided = run(folder.path(), &["eval", "--json", "--path", "/v1/items/7", key]);
    let steps = serde_json::from_str::<Value>(&decided.out).unwrap()["steps"].clone();
    let asked: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["policy"].as_str().unwrap()).collect();
    assert_eq!(asked, ["callers", "roles", "stock:rate-quota"]);
}

#[test]
fn it_names_every_command_and_every_file_that_it_links() {
    let help = run(folder(&[]).path(), &["--help"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        assert!(README.contains(&format!("| `barmkin {name}")), "`barmkin {name}` is not in the table");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for link in README.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
        if !link.starts_with("http") {
            let file = link.split('#').next().unwrap_or_default();
            assert!(root.join(file).exists(), "`{link}` is not there");
        }
    }
    for stock in barmkin_stock::all() {
        assert!(README.contains(&format!("| `{}` |", stock.name)), "{} is not in the table", stock.name);
    }
}
