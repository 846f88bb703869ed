//! On command lines, and in cases, requests and crates.

use crate::mistake::Mistake;

pub(crate) fn all() -> Vec<Mistake> {
    [arguments(), cases(), crates()].into_iter().flatten().collect()
}

fn arguments() -> Vec<Mistake> {
    let eval = |name, arguments: &[&'static str]| Mistake::command(name, &[&["eval"], arguments].concat());
    vec![
        Mistake::command("a command that is misspelled", &["chekc"]),
        Mistake::command("a flag that is misspelled", &["check", "--without-secret"]),
        Mistake::command("a configuration that is not there", &["check", "barmkni.toml"]),
        Mistake::command("a folder without a configuration", &["check", "secrets"]),
        Mistake::command("a proxy that has no listener", &["check", "--for", "nginx"]),
        eval("no request", &[]),
        eval("a URL without its scheme", &["--url", "a.example/v1"]),
        eval("a field without its colon", &["--path", "/", "--header", "x-api-key"]),
        eval("a field that nobody can send", &["--path", "/", "--header", "x api key: a"]),
        eval("a method that is none", &["--path", "/", "--method", "GE T"]),
        eval("a listener that is misspelled", &["--path", "/", "--listener", "egde"]),
        eval("a body that is not there", &["--path", "/", "--body-file", "absent"]),
        eval("a time that is none", &["--path", "/", "--now", "tomorrow"]),
        eval("a time before 1970", &["--path", "/", "--now", "1969-01-01T00:00:00Z"]),
        Mistake::command("a gate that is not there", &["status", "--admin", "unix:absent.sock"]),
        Mistake::command("a gate that says nowhere where it is asked", &["status"]),
        Mistake::command("TLS without a CA", &["status", "--admin", "https://localhost:1"]),
        Mistake::command(
            "a digest that is none",
            &["nonce", "forget", "deliveries", "abc", "--admin", "unix:absent.sock"],
        ),
        Mistake::command(
            "a key for a policy that has no pepper",
            &["api-key", "new", "--id", "a", "--policy", "calers"],
        ),
        Mistake::command("a policy that is misspelled", &["policies", "rate-qouta"]),
        Mistake::command("a component that says nothing", &["policies", "old.wasm"])
            .with("old.wasm", b"\0asm\x0d\0\x01\0"),
        Mistake::command("standard input for two things", &["eval", "-", "--path", "/", "--body-file", "-"]),
    ]
}

fn cases() -> Vec<Mistake> {
    let test = |name, cases: &str| Mistake::command(name, &["test"]).with("cases.toml", cases.as_bytes());
    let one = |name, case: &str| {
        test(name, &format!("configuration = \"barmkin.toml\"\n\n[[cases]]\nname = \"a\"\n{case}\n"))
    };
    vec![
        Mistake::command("cases that are not there", &["test"]),
        test("cases of nothing", "cases = []\n"),
        test("cases of a configuration that is not there", "configuration = \"absent.toml\"\ncases = []\n"),
        test("cases of a component that is not there", "component = \"absent.wasm\"\ncases = []\n"),
        one("a case that is misspelled", "requst = { target = \"/\" }"),
        one("a verdict that is none", "request = { target = \"/\" }\nexpect = { verdict = \"allowed\" }"),
        one("a request by position", "request = [\"GET\", \"/\"]\nexpect = { verdict = \"allow\" }"),
        one(
            "a body in two ways",
            "request = { target = \"/\", body = \"a\", body-base64 = \"YQ==\" }\nexpect = { verdict = \"allow\" }",
        ),
        Mistake::command("a request that is no JSON", &["eval", "--request", "request.json"])
            .with("request.json", "{ \"target\": \"/\",\n  method: \"GET\" }"),
        Mistake::command("a request without a target", &["eval", "--request", "request.json"])
            .with("request.json", "{ \"method\": \"GET\" }"),
    ]
}

fn crates() -> Vec<Mistake> {
    vec![
        Mistake::command("a crate with a name that cargo refuses", &["new", "My Policy"]),
        Mistake::command("a crate that is there", &["new", "secrets"]),
        Mistake::command("an SDK that is not there", &["new", "mine", "--sdk", "absent"]),
        Mistake::command("a crate that is not there", &["build", "absent"]),
        Mistake::command("a folder that is no crate", &["build", "secrets"]),
    ]
}
