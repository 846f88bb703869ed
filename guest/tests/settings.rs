//! The problems that are reported of wrong settings, and where.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_guest::prelude::*;
use barmkin_guest::test::{Policy, Request};
use proptest::prelude::*;

/// Opens late.
#[policy]
struct Opening {
    opens_after: Duration,
    #[serde(default)]
    notes: Vec<Note>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
}

impl Rule for Opening {
    type Input<'a> = Now;

    fn check(&self, now: Now) -> Decision {
        for note in &self.notes {
            log::info(&note.text, &[("opens-after", &self.opens_after.to_string())]);
        }
        if now.unix_ms() < self.opens_after.ms() { deny(403, "closed") } else { abstain() }
    }

    fn validate(&self) -> Result<(), Problems> {
        if self.opens_after > Duration::from_s(86_400) {
            return Err(Problems::one("opens-after", "a day is the most", "choose less"));
        }
        Ok(())
    }
}

#[test]
fn problems_say_where_they_are_and_not_where_the_json_is() {
    for (settings, setting, problem) in [
        ("{}", "", "missing field `opens-after`"),
        (r#"{ "opens-after": "2d" }"#, "opens-after", "a day is the most"),
        (
            r#"{ "opens-after": "soon" }"#,
            "opens-after",
            "invalid value: string \"soon\", expected a duration such as `90s`, `5m` or `24h`",
        ),
        (
            r#"{ "opens-after": "1s", "notes": [{ "text": "a" }, { "text": 1 }] }"#,
            "notes.1.text",
            "invalid type: integer `1`, expected a string",
        ),
        (
            r#"{ "opens-after": "1s", "opens_after": "1s" }"#,
            "opens_after",
            "unknown field `opens_after`, expected `opens-after` or `notes`",
        ),
    ] {
        let problems = Policy::<Opening>::configure(settings).unwrap_err();
        let [only] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((only.setting.as_str(), only.problem.as_str()), (setting, problem));
    }
}

#[test]
fn lines_of_the_log_can_be_looked_at() {
    let settings = r#"{ "opens-after": "90s", "notes": [{ "text": "hello" }] }"#;
    let policy = Policy::<Opening>::configure(settings).unwrap();
    assert_eq!(policy.check(&Request::get("/").at(89_999)).code(), Some("closed"));
    assert_eq!(policy.check(&Request::get("/").at(90_000)).code(), None);
    let lines = policy.log();
    let [first, _] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(first.message, "hello");
    assert_eq!(first.pairs, [("opens-after".to_owned(), "90s".to_owned())]);
}

proptest! {
    #[test]
    fn a_duration_is_shown_as_it_can_be_read(ms in 0..u64::MAX) {
        let shown = Duration::from_ms(ms).to_string();
        let read: Duration = serde_json::from_value(shown.into()).unwrap();
        prop_assert_eq!(read.ms(), ms);
    }

    #[test]
    fn no_text_makes_a_duration_panic(text in any::<String>()) {
        let _ = serde_json::from_value::<Duration>(text.into());
    }
}
