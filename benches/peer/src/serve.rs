use crate::question::Question;
use crate::subject::{Decide, Subject};
use anyhow::{Context, Result};
use std::io::{BufRead, Write};

/// Runs a program of peers: reads the question from standard input, says
/// which peers there are, and then, for each line with a peer and a
/// count, how many nanoseconds that many decisions took.
///
/// # Errors
/// When a peer cannot be prepared, or decides wrongly.
pub fn serve(prepare: impl FnOnce(&Question) -> Result<Vec<(&'static str, Decide)>>) -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let question: Question = serde_json::from_str(&lines.next().context("there is no question")??)?;
    let peers = prepare(&question)?.into_iter();
    let subjects: Result<Vec<_>> = peers.map(|(key, decide)| Subject::deciding(key, &question, decide)).collect();
    let mut subjects = subjects?;
    let mut answer = std::io::stdout().lock();
    let keys: Vec<_> = subjects.iter().map(Subject::key).collect();
    writeln!(answer, "{}", keys.join(" "))?;
    answer.flush()?;
    for line in lines {
        let line = line?;
        let (key, count) = line.split_once(' ').context("a line is a peer and a count")?;
        let subject = subjects.iter_mut().find(|subject| subject.key() == key);
        let took = subject.with_context(|| format!("there is no `{key}`"))?.run(count.parse()?);
        writeln!(answer, "{}", took.as_nanos())?;
        answer.flush()?;
    }
    Ok(())
}
