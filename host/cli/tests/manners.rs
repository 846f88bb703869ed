//! The conduct of a command where scripts use it: readers that leave, full disks, standard
//! input, folders, exit codes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, pipe};
use std::path::Path;
use std::process::Stdio;
use support::webhooks::{NEW, Webhooks, with_rules};
use support::{Ended, barmkin, folder, run, run_with, with_a_caller};

/// Commands that print and need no running gate, in the folder of a caller.
const PRINTING: [&[&str]; 13] = [
    &["--help"],
    &["--version"],
    &["check"],
    &["check", "--json"],
    &["check", "broken.toml"],
    &["check", "--for", "nginx", "nginx.toml"],
    &["eval", "--path", "/"],
    &["eval", "--path", "/v1", "--json"],
    &["test"],
    &["test", "--json"],
    &["policies"],
    &["schema"],
    &["api-key", "new", "--id", "a"],
];

const ORDERS: [&[&str]; 7] = [
    &["status"],
    &["status", "--json"],
    &["reload"],
    &["reload", "--json"],
    &["nonce", "list", "deliveries"],
    &["nonce", "list", "deliveries", "--json"],
    &["rollback"],
];

fn callers() -> tempfile::TempDir {
    let (folder, _) = with_a_caller();
    let cases = "configuration = \"barmkin.toml\"\n[[cases]]\nname = \"open\"\nrequest = { target = \"/\" }\n\
                 expect = { verdict = \"allow\" }\n";
    let nginx = "version = 1\n[listen.auth]\nkind = \"forward-auth\"\ndialect = \"nginx\"\naddress = \"127.0.0.1:9001\"\n\
                 [[routes]]\nname = \"a\"\npublic = true\n";
    for (name, text) in [("cases.toml", cases), ("nginx.toml", nginx), ("broken.toml", "version = 1\nwrong = 1\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The end of a command whose output nobody reads.
fn unread(folder: &Path, arguments: &[&str]) -> Ended {
    let [(out_reader, out), (err_reader, err)] = [pipe().unwrap(), pipe().unwrap()];
    drop(out_reader);
    let mut process = barmkin(folder, arguments).stdout(out).stderr(err).spawn().unwrap();
    let err = std::io::read_to_string(err_reader).unwrap();
    Ended { code: process.wait().unwrap().code(), out: String::new(), err }
}

#[test]
fn a_reader_that_leaves_ends_no_command_otherwise() {
    let folder = callers();
    for arguments in PRINTING {
        let (read, unread) = (run(folder.path(), arguments), unread(folder.path(), arguments));
        assert_eq!((unread.code, &unread.err), (read.code, &read.err), "{arguments:?}");
        assert!(!(read.out.is_empty() && read.err.is_empty()), "{arguments:?} prints nothing");
    }
    let gate = Webhooks::start();
    for arguments in ORDERS {
        let arguments = [arguments, &["--admin", "unix:admin.sock"]].concat();
        let (read, unread) = (gate.command(&arguments), unread(gate.folder.path(), &arguments));
        assert_eq!((unread.code, &unread.err), (read.code, &read.err), "{arguments:?}");
    }
}

#[test]
fn problems_that_nobody_reads_are_no_panic() {
    let folder = callers();
    let (reader, err) = pipe().unwrap();
    drop(reader);
    let mut refused = barmkin(folder.path(), &["check", "broken.toml"]).stderr(err).spawn().unwrap();
    // A panic ends with 101.
    assert_eq!(refused.wait().unwrap().code(), Some(1));
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let folder = callers();
    for arguments in [&["policies"][..], &["schema"], &["check"], &["api-key", "new", "--id", "a"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended: Ended = barmkin(folder.path(), arguments).stdout(full).output().unwrap().into();
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.err.starts_with("standard output cannot be written: "), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn a_gate_whose_log_nobody_reads_goes_on() {
    let folder = with_rules();
    let mut command = barmkin(folder.path(), &["serve"]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("admin listening")));
    assert!(listening.is_some());
    drop(log);
    for _ in 0..3 {
        // Each of these is a line of the log.
        let asked = run(folder.path(), &["reload", "--admin", "unix:admin.sock"]);
        assert_eq!(asked.code, Some(0), "{}", asked.err);
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn standard_input_stands_for_a_file() {
    let (folder, key) = with_a_caller();
    let path = folder.path();
    let rules = std::fs::read(path.join("barmkin.toml")).unwrap();
    std::fs::remove_file(path.join("barmkin.toml")).unwrap();
    let checked = run_with(path, &["check", "-"], &rules);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let refused = run_with(path, &["check", "-"], b"version = 1\nwrong = 1\n");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (
            Some(1),
            "-:2:1: there is no key `wrong` here\n  2 | wrong = 1\n    | ^^^^^\n  help: remove it, or use one of `admin`, `cache`, `errors`, `forward`, `health`, `include`, `keys`, `limits`, `listen`, `nonces`, `pin`, `policies`, `quotas`, `routes`, `shutdown`, `store`, `upstreams`, `version`\n"
        )
    );
    let field = format!("--header=x-api-key: {key}");
    assert_eq!(run_with(path, &["eval", "-", "--path", "/v1", &field], &rules).code, Some(0));

    std::fs::write(path.join("rules.toml"), &rules).unwrap();
    let request = serde_json::json!({ "target": "/v1", "headers": { "x-api-key": key } }).to_string();
    let decided = run_with(path, &["eval", "rules.toml", "--request", "-"], request.as_bytes());
    assert_eq!(decided.code, Some(0), "{}", decided.err);
    let cases = "configuration = \"rules.toml\"\n[[cases]]\nname = \"a\"\nrequest = { target = \"/\" }\nexpect = { verdict = \"allow\" }\n";
    let tested = run_with(path, &["test", "-"], cases.as_bytes());
    assert!(tested.out.ends_with("1 passed, 0 failed\n"), "{}{}", tested.out, tested.err);

    let twice = run_with(path, &["eval", "-", "--path", "/", "--body-file", "-"], &rules);
    assert!(
        twice.code == Some(2) && twice.err.starts_with("`-` is standard input, which can be read once\n"),
        "{}",
        twice.err
    );
    let served = run_with(path, &["serve", "-"], &rules);
    assert!(served.code == Some(2) && served.err.contains("cannot be standard input here"), "{}", served.err);
}

#[test]
fn a_body_comes_from_standard_input() {
    let folder = with_rules();
    let body = b"{\"from\": \"a pipe\"}";
    let signature = support::webhooks::signature(NEW, body);
    let field = format!("--header=x-hub-signature-256: sha256={signature}");
    let eval = ["eval", "--method", "POST", "--path", "/hooks", &field, "--body-file", "-"];
    let decided = run_with(folder.path(), &eval, body);
    assert_eq!(decided.code, Some(0), "{}{}", decided.out, decided.err);
    assert_eq!(run_with(folder.path(), &eval, b"another body").code, Some(1));
}

#[test]
fn a_folder_stands_for_its_configuration() {
    let (folder, _) = with_a_caller();
    let name = folder.path().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let checked = run(elsewhere.path(), &["check", name]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert_eq!(run(elsewhere.path(), &["eval", name, "--path", "/"]).code, Some(0));
    let empty = run(elsewhere.path(), &["check", "."]);
    assert_eq!(
        (empty.code, empty.err.as_str()),
        (Some(2), "there is no `barmkin.toml` in `.`\n  help: name the file\n")
    );
}

#[test]
fn one_is_a_no_and_two_is_no_answer() {
    let folder = callers();
    std::fs::write(folder.path().join("differs.toml"), "configuration = \"barmkin.toml\"\n[[cases]]\nname = \"a\"\nrequest = { target = \"/v1\" }\nexpect = { verdict = \"allow\" }\n").unwrap();
    let no: [&[&str]; 3] = [&["check", "broken.toml"], &["eval", "--path", "/v1"], &["test", "differs.toml"]];
    for arguments in no {
        assert_eq!(run(folder.path(), arguments).code, Some(1), "{arguments:?}");
    }
    let no_answer: [&[&str]; 14] = [
        &["no-such-command"],
        &["check", "absent.toml"],
        &["check", "--no-such-flag"],
        &["eval", "broken.toml", "--path", "/"],
        &["eval", "absent.toml", "--path", "/"],
        &["eval"],
        &["test", "absent.toml"],
        &["test", "barmkin.toml"],
        &["serve", "absent.toml"],
        &["status", "--admin", "unix:absent.sock"],
        &["reload", "absent.toml"],
        &["nonce", "list", "a", "--admin", "unix:absent.sock"],
        &["api-key", "new", "absent.toml", "--id", "a"],
        &["build", "absent"],
    ];
    for arguments in no_answer {
        let ended = run(folder.path(), arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
    }
    let gate = Webhooks::start();
    for arguments in
        [&["rollback"][..], &["nonce", "list", "absent"], &["nonce", "forget", "deliveries", &"0".repeat(64)]]
    {
        let arguments = [arguments, &["--admin", "unix:admin.sock"]].concat();
        assert_eq!(gate.command(&arguments).code, Some(1), "{arguments:?}");
    }
    let help = run(folder.path(), &["--help"]).out;
    for meaning in ["0  when", "1  when the answer is no", "2  when there is no answer"] {
        assert!(help.contains(meaning), "{help}");
    }
}

#[test]
fn what_is_there_for_people_is_a_table() {
    let gate = Webhooks::start();
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert!(gate.deliver("/hooks", "wrong", "2").is_some());
    let order = |arguments: &[&str]| gate.command(&[arguments, &["--admin", "unix:admin.sock"]].concat());
    assert_eq!(order(&["reload"]).code, Some(0));
    let status = order(&["status"]).out;
    for line in [
        "route  allowed  denied  observed",
        "hooks  1        1       0",
        "key     secrets in force",
        "github  new, old",
    ] {
        assert!(status.lines().any(|found| found == line), "`{line}` is not in:\n{status}");
    }
    assert!(status.contains(", ready, started ") && status.contains("\ngeneration 1 serves ("), "{status}");
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("github ") && line.ends_with("  1        0          1       0       -")),
        "{status}"
    );
    let nonces = order(&["nonce", "list", "deliveries"]).out;
    let listed: Vec<_> = nonces.lines().map(|line| line.split_whitespace().nth(1).unwrap_or_default()).collect();
    assert_eq!(listed, ["state", "used"], "{nonces}");
    let unchanged = order(&["reload"]).out;
    assert!(unchanged.starts_with("unchanged: generation 1 serves ("), "{unchanged}");
}

#[test]
fn an_error_shows_its_line() {
    let folder = folder(&[
        ("cases.toml", "configuration = \"a.toml\"\n\n[[cases]]\nname = \"a\"\nrequst = { target = \"/\" }\n"),
        ("request.json", "{\n  \"target\": \"/\",\n  \"headers\": [1]\n}"),
        ("barmkin.toml", "version = 1\n[[routes]]\nname = \"a\"\npublic = true\n"),
    ]);
    let cases = run(folder.path(), &["test"]);
    assert_eq!(cases.code, Some(2));
    assert!(cases.err.starts_with("./cases.toml:5:1: there is no setting `requst` here"), "{}", cases.err);
    assert!(cases.err.contains("\n  5 | requst = { target = \"/\" }\n    | ^^^^^^"), "{}", cases.err);
    let request = run(folder.path(), &["eval", "--request", "request.json"]);
    assert_eq!(request.code, Some(2));
    assert!(request.err.starts_with("request.json:3:"), "{}", request.err);
    assert!(request.err.contains("\n  3 |   \"headers\": [1]\n"), "{}", request.err);
}

#[test]
fn a_list_is_no_struct() {
    let by_position = [
        ("store = [\"memory\"]", "a list cannot be written here"),
        ("admin = [\"unix:a.sock\"]", "a list cannot be written here"),
        (
            "[policies.a]\ncomponent = \"stock:rate-quota\"\ngrants = [{}, {}, { quota = \"q\" }]",
            "a list cannot be written here",
        ),
        ("[keys.k]\nalgorithm = \"ed25519\"\nsecrets = [[\"1\", \"file:a\"]]", "a list cannot be written here"),
        ("[[routes]]\nname = \"a\"\npublic = true\nmatch = [\"a\"]", "a list cannot be written here"),
    ];
    for (text, expected) in by_position {
        let folder = folder(&[("barmkin.toml", &format!("version = 1\n{text}\n"))]);
        let refused = run(folder.path(), &["check"]);
        assert!(refused.code == Some(1) && refused.err.contains(expected), "{text}: {}", refused.err);
    }
    let (folder, _) = with_a_caller();
    let rules = std::fs::read_to_string(folder.path().join("barmkin.toml")).unwrap();
    let (before, after) = rules.split_once("keys = [{").unwrap();
    let (_, after) = after.split_once("}]").unwrap();
    let rules = format!("{before}keys = [[\"a\", \"{}\"]]{after}", "0".repeat(64));
    std::fs::write(folder.path().join("barmkin.toml"), rules).unwrap();
    let refused = run(folder.path(), &["check"]);
    assert!(refused.code == Some(1) && refused.err.contains("a list cannot be written here"), "{}", refused.err);
    for (file, text) in
        [("r.json", "[\"GET\", \"/\"]"), ("r.json", "{ \"target\": \"/\", \"headers\": { \"a\": {} } }")]
    {
        std::fs::write(folder.path().join(file), text).unwrap();
        assert_eq!(run(folder.path(), &["eval", "--request", file]).code, Some(2), "{text}");
    }
}
