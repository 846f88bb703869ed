//! Collects findings while a configuration is read.

use crate::report::{Finding, Report, Severity};
use crate::source::{FileId, Places, Sources, Spot};

/// Findings that are reported: an operator who fixes the first hundreds starts over,
/// and each has to be looked for in its file.
const FINDINGS_MAX: usize = 512;

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Found>);

#[derive(Debug)]
struct Found {
    severity: Severity,
    spot: Spot,
    message: String,
    help: Option<String>,
}

impl Findings {
    pub(crate) fn error(&mut self, spot: impl Into<Spot>, message: impl Into<String>) -> Help<'_> {
        self.add(Severity::Error, spot.into(), message.into())
    }

    pub(crate) fn warning(&mut self, spot: impl Into<Spot>, message: impl Into<String>) -> Help<'_> {
        self.add(Severity::Warning, spot.into(), message.into())
    }

    /// The findings in the order of their places: the warnings alone, or a
    /// report when there is an error.
    pub(crate) fn finish(mut self, sources: &Sources) -> Result<Vec<Finding>, Report> {
        // Errors first: a warning must not take the place of one.
        self.0.sort_by_key(|found| found.severity);
        let failed = self.0.first().is_some_and(|found| found.severity == Severity::Error);
        let more = self.0.len().saturating_sub(FINDINGS_MAX);
        self.0.truncate(FINDINGS_MAX);
        let mut places = Places::of(sources);
        let mut place = |found: Found| Finding {
            severity: found.severity,
            place: places.find(&found.spot),
            excerpt: places.excerpt(&found.spot),
            message: found.message,
            help: found.help,
        };
        let mut findings: Vec<_> = self.0.into_iter().map(&mut place).collect();
        findings.sort_by(|a, b| a.place.cmp(&b.place));
        findings.dedup();
        if more > 0 {
            let severity = if failed { Severity::Error } else { Severity::Warning };
            let spot = Spot::File(FileId::MAIN);
            findings.push(place(Found { severity, spot, message: format!("{more} more are not listed"), help: None }));
        }
        if failed { Err(Report { findings }) } else { Ok(findings) }
    }

    /// Whether another would not be reported.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= FINDINGS_MAX
    }

    fn add(&mut self, severity: Severity, spot: Spot, message: String) -> Help<'_> {
        self.0.push(Found { severity, spot, message, help: None });
        Help(self.0.last_mut())
    }
}

/// Takes what to do about the finding that was just added.
pub(crate) struct Help<'f>(Option<&'f mut Found>);

impl Help<'_> {
    pub(crate) fn help(self, help: impl Into<String>) {
        if let Some(found) = self.0 {
            found.help = Some(help.into());
        }
    }
}
