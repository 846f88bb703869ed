//! A policy's description of itself.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use barmkin_guest::prelude::*;
use barmkin_guest::test::{Policy, Request};
use barmkin_guest::{Settings, describe};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

reasons! {
    /// A reason with "quotes", a \ and
    /// a second line.
    DECLARED = 403 "declared";
}

/// Lets somebody in.
///
/// Or not.
#[policy(reasons = REASONS, example = "support/example.toml")]
struct Described {
    /// What is denied, and how.
    answer: Answer,
    /// By name.
    #[serde(default)]
    some_names: BTreeMap<String, Inner>,
    maybe: Option<Duration>,
    #[serde(default, rename = "other")]
    _renamed: Vec<u8>,
    #[serde(default)]
    foreign: Foreign,
    #[serde(skip)]
    _skipped: bool,
}

#[derive(Clone, Copy, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// As it is declared.
    AsDeclared,
    Otherwise,
}

/// A text of the type.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Inner {
    #[serde(rename = "at-most")]
    _at_most: i8,
    r#as: Text,
}

#[derive(Deserialize, Schema)]
#[serde(try_from = "String")]
struct Text;

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(_: String) -> Result<Self, String> {
        Ok(Self)
    }
}

/// A type that says nothing.
#[derive(Default, Deserialize)]
struct Foreign {}

impl Rule for Described {
    type Input<'a> = ();

    fn check(&self, (): ()) -> Decision {
        let _ = (self.some_names.values().map(|inner| &inner.r#as), &self.maybe, &self.foreign);
        match self.answer {
            Answer::AsDeclared => DECLARED.deny(),
            Answer::Otherwise => deny(403, "otherwise"),
        }
    }
}

fn described<S: Settings>() -> Value {
    // The length is a constant in a component, and the same here.
    const LENGTH: usize = 16 * 1024;
    let json = S::DESCRIPTION.json::<LENGTH>();
    serde_json::from_slice(json.get(..S::DESCRIPTION.json_length()).unwrap()).unwrap()
}

#[test]
fn it_is_made_of_doc_comments_and_types() {
    let described = described::<Described>();
    assert_eq!(described["summary"], "Lets somebody in.\n\nOr not.");
    let reason =
        json!({ "code": "declared", "status": 403, "text": "A reason with \"quotes\", a \\ and\na second line." });
    assert_eq!(described["reasons"], json!([reason]));
    assert!(described["example"].as_str().unwrap().contains("version = 1"));
    let expected = json!({
        "type": "object",
        "required": ["answer"],
        "additionalProperties": false,
        "properties": {
            "answer": {
                "description": "What is denied, and how.",
                "oneOf": [{ "const": "as-declared", "description": "As it is declared." }, { "const": "otherwise" }],
            },
            "some-names": {
                "description": "By name.",
                "type": "object",
                "additionalProperties": {
                    "description": "A text of the type.",
                    "type": "object",
                    "required": ["at-most", "as"],
                    "additionalProperties": false,
                    "properties": {
                        "at-most": { "type": "integer", "minimum": -128, "maximum": 127 },
                        "as": { "type": "string" },
                    },
                },
            },
            "maybe": { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" },
            "other": { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 255 } },
            "foreign": {},
        },
    });
    assert_eq!(described["settings"], expected);
}

#[test]
fn what_it_requires_and_refuses_is_what_serde_does() {
    let configured = |settings: Value| Policy::<Described>::configure(&settings.to_string()).is_ok();
    assert!(configured(json!({ "answer": "as-declared" })));
    assert!(!configured(json!({})));
    assert!(configured(
        json!({ "answer": "otherwise", "some-names": { "a": { "at-most": 1, "as": "b" } }, "other": [1] })
    ));
    assert!(!configured(json!({ "answer": "otherwise", "some-names": { "a": { "at-most": 1 } } })));
    assert!(!configured(json!({ "answer": "otherwise", "_skipped": true })));
    // A struct is not read by position.
    assert!(!configured(json!({ "answer": "otherwise", "some-names": { "a": [1, "b"] } })));
}

#[test]
fn a_declared_reason_is_denied_with() {
    let policy = Policy::<Described>::configure(r#"{ "answer": "as-declared" }"#).unwrap();
    assert_eq!(policy.check(&Request::get("/")).code(), Some("declared"));
}

#[test]
#[should_panic(expected = "denies for `otherwise`, which it does not declare")]
fn a_test_finds_a_reason_that_is_not_declared() {
    let policy = Policy::<Described>::configure(r#"{ "answer": "otherwise" }"#).unwrap();
    let _ = policy.check(&Request::get("/"));
}

#[test]
fn a_policy_that_says_nothing_says_so() {
    struct Silent;

    impl Rule for Silent {
        type Input<'a> = ();

        fn check(&self, (): ()) -> Decision {
            abstain()
        }
    }

    #[derive(Deserialize)]
    struct Plain {}

    impl Settings for Plain {
        type Rule = Silent;

        fn build(self) -> Result<Silent, Problems> {
            Ok(Silent)
        }
    }
    let nothing = json!({ "summary": "", "settings": {}, "reasons": [], "example": "" });
    assert_eq!(described::<Plain>(), nothing);
    assert_eq!(describe::SECTION, "barmkin-description");
}
