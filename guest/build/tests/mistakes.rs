//! Mistakes of a policy's author: where the compiler reports them, and how.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cargo_metadata::Message;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};

struct Mistake {
    name: &'static str,
    source: &'static str,
    /// The input of a rule `Closed` behind the source, if there is one.
    input: &'static str,
    message: &'static str,
    note: &'static str,
    /// In the line that is reported.
    line: &'static str,
}

const MISTAKES: [Mistake; 9] = [
    Mistake {
        name: "capitals",
        source: r#"name!(Partner = "X-Partner");"#,
        input: "Header<'a, Partner>",
        message: "`Partner` does not name a header",
        note: "write header names in lower case",
        line: "type Input<'a>",
    },
    Mistake {
        name: "empty",
        source: r#"name!(Partner = "");"#,
        input: "",
        message: "a name has at least one character",
        note: "",
        line: "name!",
    },
    Mistake {
        name: "number",
        source: "name!(Partner = 5);",
        input: "",
        message: "expected string literal",
        note: "",
        line: "name!",
    },
    Mistake {
        name: "no_name",
        source: "",
        input: "QueryParameter<'a, String>",
        message: "`String` is not a name",
        note: r#"`name!(String = "...")`"#,
        line: "type Input<'a>",
    },
    Mistake {
        name: "header_twice",
        source: r#"name!(Partner = "x-partner"); name!(Again = "x-partner");"#,
        input: "(Header<'a, Partner>, (Method<'a>, Headers<'a, Again>))",
        message: "the input declares header `x-partner` twice",
        note: "",
        line: "struct Closed",
    },
    Mistake {
        name: "quota_twice",
        source: r#"name!(Calls = "calls");"#,
        input: "(Quota<'a, Calls>, Nonces<'a, Calls>, Quota<'a, Calls>)",
        message: "the input declares quota `calls` twice",
        note: "",
        line: "struct Closed",
    },
    Mistake {
        name: "no_input",
        source: "",
        input: "String",
        message: "`String` is not an input of the rule `Closed`",
        note: "an extractor such as `Method<'a>`",
        line: "type Input<'a>",
    },
    Mistake {
        name: "no_settings",
        source: "struct Plain {}\nfn configured() { let _ = barmkin_guest::test::Policy::<Plain>::configure(\"{}\"); }",
        input: "",
        message: "`Plain` is not the settings of a policy",
        note: "write `#[policy]` above `struct Plain`",
        line: "fn configured()",
    },
    Mistake {
        name: "no_rule",
        source: "#[policy]\nstruct Idle {}",
        input: "",
        message: "`Idle` is not a rule",
        note: "write `impl Rule for Idle`",
        line: "Idle",
    },
];

const PREFIX: &str = "#![allow(unused)]\nuse barmkin_guest::prelude::*;\nfn main() {}\n";

#[test]
fn each_is_reported_where_it_is_and_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path());
    let reported = reported(folder.path());
    for Mistake { name, message, note, line, .. } in MISTAKES {
        let errors = reported.get(name).unwrap_or_else(|| panic!("{name} compiles"));
        let found = errors.iter().find(|error| error.message.contains(message));
        let error = found.unwrap_or_else(|| panic!("{name}: {errors:#?}"));
        let notes: Vec<_> = error.children.iter().map(|child| child.message.as_str()).collect();
        assert!(note.is_empty() || notes.iter().any(|text| text.contains(note)), "{name}: {notes:?}");
        let is_here = error
            .spans
            .iter()
            .filter(|span| span.is_primary)
            .any(|span| span.file_name.contains(name) && span.text.iter().any(|text| text.text.contains(line)));
        assert!(is_here, "{name}: {:#?}", error.spans);
    }
}

/// Errors of each example of the crate in `folder`.
fn reported(folder: &Path) -> BTreeMap<String, Vec<Diagnostic>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["check", "--examples", "--keep-going", "--message-format", "json", "--target-dir"]);
    // What they have in common is compiled once, and not for each run.
    command.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"));
    command.current_dir(folder).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let mut reported = BTreeMap::<_, Vec<_>>::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerMessage(found) = message.unwrap()
            && found.message.level == DiagnosticLevel::Error
        {
            reported.entry(found.target.name).or_default().push(found.message);
        }
    }
    reported
}

fn write_crate(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let guest = root.join("guest").display().to_string();
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nbarmkin-guest = {{ path = {guest:?} }}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for created in ["src", "examples"] {
        fs::create_dir(folder.join(created)).unwrap();
    }
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    for Mistake { name, source, input, .. } in MISTAKES {
        let rule = if input.is_empty() { String::new() } else { rule(input) };
        let text = format!("{PREFIX}{source}\n{rule}");
        fs::write(folder.join("examples").join(name).with_extension("rs"), text).unwrap();
    }
}

fn rule(input: &str) -> String {
    format!(
        "#[policy]\nstruct Closed {{}}\nimpl Rule for Closed {{\n    type Input<'a> = {input};\n    \
         fn check(&self, _: Self::Input<'_>) -> Decision {{ abstain() }}\n}}\n"
    )
}
