//! The results of running vector files.

use std::fmt;
use std::path::PathBuf;

/// How one case was decided.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub case: String,
    /// Whether the scheme itself, rather than a recommendation, decides it.
    pub normative: bool,
    /// Whether it should be accepted.
    pub expected: bool,
    /// Whether it was.
    pub accepted: bool,
    /// Other things that must hold, and do not.
    pub faults: Vec<String>,
    /// The reason it should be decided for, and the one it was, where the
    /// file states reasons.
    pub reasons: Option<(String, String)>,
}

impl Outcome {
    /// Whether it was decided as it should be.
    pub fn is_right(&self) -> bool {
        self.accepted == self.expected && self.faults.is_empty()
    }
}

/// The cases of one file.
#[derive(Clone, Debug)]
pub struct Score {
    path: PathBuf,
    outcomes: Vec<Outcome>,
}

impl Score {
    /// How many cases that expect `verdict` were decided right, and how many
    /// there are.
    fn count(&self, verdict: bool) -> [usize; 2] {
        let cases = || self.outcomes.iter().filter(|outcome| outcome.expected == verdict);
        [cases().filter(|outcome| outcome.is_right()).count(), cases().count()]
    }

    fn reasons(&self) -> [usize; 2] {
        let stated = || self.outcomes.iter().filter_map(|outcome| outcome.reasons.as_ref());
        [stated().filter(|(expected, got)| expected == got).count(), stated().count()]
    }
}

/// The cases of all files. Its text is the runner's report.
#[derive(Clone, Debug, Default)]
pub struct Scores(Vec<Score>);

impl Scores {
    /// Adds the outcomes of the file at `path`.
    pub(super) fn push(&mut self, path: PathBuf, outcomes: Vec<Outcome>) {
        self.0.push(Score { path, outcomes });
    }

    /// Whether every normative case was decided right.
    pub fn is_conformant(&self) -> bool {
        self.outcomes().all(|outcome| outcome.is_right() || !outcome.normative)
    }

    /// All cases of all files.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.0.iter().flat_map(|score| &score.outcomes)
    }

    fn total(&self, of: impl Fn(&Score) -> [usize; 2]) -> [usize; 2] {
        self.0.iter().map(of).fold([0, 0], |[a, b], [right, all]| [a + right, b + all])
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for score in &self.0 {
            write_line(f, &score.path.display(), score.count(true), score.count(false), score.reasons())?;
            for outcome in &score.outcomes {
                write_differences(f, outcome)?;
            }
        }
        let [accept, reject] = [true, false].map(|verdict| self.total(|score| score.count(verdict)));
        write_line(f, &"total", accept, reject, self.total(Score::reasons))
    }
}

fn write_line(
    f: &mut fmt::Formatter<'_>,
    what: &dyn fmt::Display,
    [accepted, accept]: [usize; 2],
    [rejected, reject]: [usize; 2],
    [same, stated]: [usize; 2],
) -> fmt::Result {
    write!(f, "{what}: accept {accepted} of {accept}, reject {rejected} of {reject}")?;
    if stated > 0 {
        write!(f, " (reason {same} of {stated})")?;
    }
    writeln!(f)
}

/// Mismatches, and reasons that are others than the file's: those are the
/// names of this project against the file's, and do not count.
fn write_differences(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    let Outcome { case, normative, expected, accepted, faults, reasons } = outcome;
    let word = |accept: bool| if accept { "accept" } else { "reject" };
    if !outcome.is_right() {
        let strictness = if *normative { "normative" } else { "policy" };
        write!(f, "  MISMATCH ({strictness}) `{case}`: expected {}, got {}", word(*expected), word(*accepted))?;
        if let Some((_, got)) = reasons {
            write!(f, " ({got})")?;
        }
        writeln!(f, "{}", faults.iter().map(|fault| format!("; {fault}")).collect::<String>())
    } else if let Some((expected, got)) = reasons.as_ref().filter(|(expected, got)| expected != got) {
        writeln!(f, "  other reason `{case}`: expected {expected}, got {got}")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Scores};

    fn outcome(normative: bool, expected: bool, accepted: bool) -> Outcome {
        let reasons = Some(("ok".to_owned(), "ok".to_owned()));
        Outcome { case: "c".to_owned(), normative, expected, accepted, faults: Vec::new(), reasons }
    }

    #[test]
    fn only_normative_mismatches_fail() {
        let mut scores = Scores::default();
        scores.push("a.json".into(), vec![outcome(true, true, true), outcome(false, true, false)]);
        assert!(scores.is_conformant());
        assert_eq!(
            scores.to_string(),
            "a.json: accept 1 of 2, reject 0 of 0 (reason 2 of 2)\n  \
             MISMATCH (policy) `c`: expected accept, got reject (ok)\n\
             total: accept 1 of 2, reject 0 of 0 (reason 2 of 2)\n"
        );
        scores.push("b.json".into(), vec![outcome(true, false, true)]);
        assert!(!scores.is_conformant());
    }

    #[test]
    fn a_case_with_a_fault_is_no_match() {
        let mut faulty = outcome(true, true, true);
        faulty.faults.push("`remaining` is 1, not 2".to_owned());
        let mut scores = Scores::default();
        scores.push("a.json".into(), vec![faulty]);
        assert!(!scores.is_conformant());
    }
}
