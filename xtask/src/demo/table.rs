//! The demo's requests and their verdicts, as a table.

use super::client::Answer;
use std::fmt::Write;
use std::time::Duration;

/// A request, what it should be told, and what it was.
pub(super) struct Row {
    pub(super) request: String,
    pub(super) expected: (u16, Option<&'static str>),
    pub(super) answer: Answer,
    pub(super) took: Duration,
}

impl Row {
    pub(super) fn is_expected(&self) -> bool {
        (self.answer.status, self.answer.reason.as_deref()) == self.expected
    }
}

/// One line a row.
pub(super) fn render(rows: &[Row]) -> String {
    let mut table = format!("{:<28} {:<8} {:<7} {:<20} {:>9}\n", "request", "verdict", "status", "reason", "time");
    for row in rows {
        let Answer { status, reason } = &row.answer;
        let verdict = if reason.is_none() && *status == 200 { "allow" } else { "deny" };
        let reason = reason.as_deref().unwrap_or("-");
        let ms = row.took.as_secs_f64() * 1e3;
        let _ = write!(table, "{:<28} {verdict:<8} {status:<7} {reason:<20} {ms:>6.1} ms", row.request);
        if !row.is_expected() {
            let (status, reason) = row.expected;
            let _ = write!(table, "  expected {status} {}", reason.unwrap_or("-"));
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{Answer, Row, render};
    use std::time::Duration;

    #[test]
    fn a_verdict_that_is_not_expected_is_shown() {
        let answer = Answer { status: 403, reason: Some("replayed".to_owned()) };
        let row = Row { request: "r".to_owned(), expected: (200, None), answer, took: Duration::from_micros(1_500) };
        assert!(!row.is_expected());
        let table = render(&[row]);
        assert!(table.contains("deny") && table.contains("1.5 ms") && table.ends_with("expected 200 -\n"), "{table}");
    }
}
