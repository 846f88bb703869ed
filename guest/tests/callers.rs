//! A test that uses the double wrongly is told where it does.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::{self, Location};
use std::sync::{Arc, Mutex};

use barmkin_guest::prelude::*;
use barmkin_guest::test::{Policy, Request, TestQuota};

/// Uses nothing.
#[policy]
struct Open {}

impl Rule for Open {
    type Input<'a> = ();

    fn check(&self, (): ()) -> Decision {
        abstain()
    }
}

/// Where a panic says that it was, and its message. The hook is the whole
/// process's: there is one test here.
fn panicked(act: impl FnOnce() + panic::UnwindSafe) -> (String, u32, String) {
    let seen = Arc::new(Mutex::new(None));
    let hook = seen.clone();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|place| (place.file().to_owned(), place.line()));
        *hook.lock().unwrap() = place.map(|(file, line)| (file, line, info.payload_as_str().unwrap_or("").to_owned()));
    }));
    assert!(panic::catch_unwind(act).is_err());
    drop(panic::take_hook());
    let found = seen.lock().unwrap().take();
    found.unwrap()
}

#[test]
fn slips_are_shown_where_the_caller_made_them() {
    type Slip = fn();
    let slips: [(Slip, &str); 4] = [
        (
            || {
                let policy = Policy::<Open>::configure("{}").unwrap();
                let _ = policy.with_quota("calls", TestQuota::new(1, 1));
            },
            "the policy declares no quota `calls`, only []",
        ),
        (
            || {
                let _ = Request::get("/").header("x partner", "acme");
            },
            "`x partner` is not a field name",
        ),
        (
            || {
                let _ = Request::get("/").header("x-partner", "a\nb");
            },
            "field `x-partner` cannot have the value \"a\\nb\"",
        ),
        (
            || {
                let _ = abstain().detail("for nobody");
            },
            "details go with a denial",
        ),
    ];
    let first = Location::caller();
    for (slip, message) in slips {
        let (file, line, found) = panicked(slip);
        assert_eq!(found, message);
        assert_eq!(file, first.file());
        assert!(line < first.line(), "{message}: it is said to be in line {line}");
    }
}
