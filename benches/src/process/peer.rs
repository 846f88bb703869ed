//! The programs of peers.

use super::child::Child;
use anyhow::{Result, ensure};
use barmkin_bench_peer::{Question, Subject};
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// Starts a program of peers, and gives what it times.
///
/// # Errors
/// When it does not start, or has a peer that decides wrongly.
pub fn peers(program: &Path, question: &Question) -> Result<Vec<Subject>> {
    let mut child = Child::start(&mut Command::new(program))?;
    child.tell(&serde_json::to_string(question)?)?;
    let keys = child.hear()?;
    ensure!(!keys.is_empty(), "`{}` has no peer", program.display());
    let child = Rc::new(RefCell::new(child));
    Ok(keys.split(' ').map(|key| subject(key, child.clone())).collect())
}

fn subject(key: &str, child: Rc<RefCell<Child>>) -> Subject {
    // A handful, for as long as the program lives.
    let key: &'static str = key.to_owned().leak();
    Subject::timed(key, move |count| {
        let mut child = child.borrow_mut();
        let answer = child.tell(&format!("{key} {count}")).and_then(|()| child.hear());
        let answer = answer.unwrap_or_else(|error| panic!("`{key}`: {error:#}"));
        Duration::from_nanos(answer.parse().expect("a peer answers with nanoseconds"))
    })
}
