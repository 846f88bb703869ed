//! Mistakes made on purpose, and the whole of what is said about them. Each message
//! names a place and a remedy; all of them are in `messages.txt`, which
//! `BARMKIN_WRITE_TABLE=1` writes again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod configurations;
mod lines;
mod mistake;
#[path = "../support/mod.rs"]
mod support;

use mistake::{Mistake, Told};
use std::fmt::Write;
use std::path::Path;

/// Makes them all, some at a time.
fn make(mistakes: &[Mistake]) -> Vec<Told> {
    std::thread::scope(|scope| {
        let chunk = mistakes.len().div_ceil(4);
        let made: Vec<_> = mistakes
            .chunks(chunk)
            .map(|some| scope.spawn(move || some.iter().map(Mistake::make).collect::<Vec<_>>()))
            .collect();
        made.into_iter().flat_map(|made| made.join().unwrap()).collect()
    })
}

#[test]
fn each_mistake_is_told_with_place_and_remedy() {
    let mistakes: Vec<Mistake> = configurations::all().into_iter().chain(lines::all()).collect();
    let mut messages = String::new();
    let mut wanting = String::new();
    for (mistake, told) in mistakes.iter().zip(make(&mistakes)) {
        writeln!(
            messages,
            "## {}\n$ barmkin {}   # {}\n{}",
            mistake.name,
            mistake.command.join(" "),
            told.code,
            told.err
        )
        .unwrap();
        if told.code == 0 {
            writeln!(wanting, "`{}` is no mistake:\n{}", mistake.name, told.err).unwrap();
        }
        for line in told.wanting() {
            writeln!(wanting, "`{}`: {line}\n{}", mistake.name, told.err).unwrap();
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/messages.txt");
    if std::env::var_os("BARMKIN_WRITE_TABLE").is_some() {
        std::fs::write(&file, &messages).unwrap();
    }
    assert!(wanting.is_empty(), "{wanting}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(messages == kept, "write them again with BARMKIN_WRITE_TABLE=1, and read what changed:\n{messages}");
}
