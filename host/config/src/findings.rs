//! Collects findings while a configuration is read.

use crate::report::{Finding, Report, Severity};
use crate::source::{Sources, Spot};

/// What was found so far.
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
    pub(crate) fn finish(self, sources: &Sources) -> Result<Vec<Finding>, Report> {
        let failed = self.0.iter().any(|found| found.severity == Severity::Error);
        let place = |found: Found| Finding {
            severity: found.severity,
            place: sources.place(&found.spot),
            message: found.message,
            help: found.help,
        };
        let mut findings: Vec<_> = self.0.into_iter().map(place).collect();
        findings.sort_by(|a, b| a.place.cmp(&b.place));
        findings.dedup();
        if failed { Err(Report { findings }) } else { Ok(findings) }
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
