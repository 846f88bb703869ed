//! The results of the steps of a test run.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

/// Counts while the output goes by.
#[derive(Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skips: BTreeSet<String>,
    steps: Vec<Step>,
    /// Failed tests of the step under way.
    failed_in_step: u64,
}

struct Step {
    name: &'static str,
    success: bool,
    took: Duration,
}

impl Tally {
    /// Reads a line of a step: what tests ended with, and what was skipped.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some((passed, failed)) = test_result(line) {
            self.passed += passed;
            self.failed += failed;
            self.failed_in_step += failed;
        } else if let Some((_, skip)) = line.split_once("SKIP: ") {
            // The test runner may have begun the line.
            self.skip(format!("SKIP: {skip}"));
        }
    }

    /// Notes a part that could not run here.
    pub(crate) fn skip(&mut self, line: String) {
        self.skips.insert(line);
    }

    /// Ends a step. One without tests of its own counts as one.
    pub(crate) fn end_step(&mut self, name: &'static str, success: bool, took: Duration) {
        match (name, success, std::mem::take(&mut self.failed_in_step)) {
            ("tests", true, _) => {}
            (_, true, _) => self.passed += 1,
            (_, false, 0) => self.failed += 1,
            (_, false, _) => {}
        }
        self.steps.push(Step { name, success, took });
    }

    /// Prints the summary, and gives what the process ends with.
    pub(crate) fn sum_up(&self, no_skip: bool) -> ExitCode {
        println!("\n== summary");
        for Step { name, success, took } in &self.steps {
            println!("{:<12} {:<6} {:>6.1} s", name, if *success { "ok" } else { "FAILED" }, took.as_secs_f64());
        }
        for skip in &self.skips {
            println!("{skip}");
        }
        let refused_skips = no_skip && !self.skips.is_empty();
        if refused_skips {
            println!("every part has to run here: {} did not", self.skips.len());
        }
        let failed = self.failed + if refused_skips { self.skips.len() as u64 } else { 0 };
        println!("{} passed, {failed} failed", self.passed);
        if failed == 0 && self.steps.iter().all(|step| step.success) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The counts in a line such as `test result: ok. 3 passed; 0 failed; ...`.
fn test_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut counts = counts.split("; ");
    let passed = counts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = counts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

#[cfg(test)]
mod tests {
    use super::{Tally, test_result};
    use std::time::Duration;

    #[test]
    fn results_are_read_from_test_output() {
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(test_result(line), Some((3, 2)));
        assert_eq!(test_result("test result: what?"), None);
    }

    #[test]
    fn a_step_that_fails_without_a_failed_test_counts() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 3 passed; 0 failed; 0 ignored");
        tally.end_step("tests", false, Duration::ZERO);
        assert_eq!((tally.passed, tally.failed), (3, 1));
        tally.read("test result: FAILED. 0 passed; 2 failed; 0 ignored");
        tally.end_step("tests", false, Duration::ZERO);
        assert_eq!((tally.passed, tally.failed), (3, 3));
    }
}
