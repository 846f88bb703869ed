//! The problems in a configuration, and where they are.

use crate::excerpt::Excerpt;
use crate::source::position;
use crate::visible::Visible;
use crate::worded::worded;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Everything that was found in a configuration, in the order of its files
/// and lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The findings: at least one of them is an error.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Only what keeps the configuration from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The line that it is in, where it is a part of a file.
    pub excerpt: Option<Excerpt>,
    /// The problem: lower case, one sentence, no full stop.
    pub message: String,
    /// The remedy, where there is one.
    pub help: Option<String>,
}

impl Finding {
    /// An error in the bytes `span` of a file with this text.
    /// The message is as the reader of TOML or JSON says it.
    pub fn error_at(file: &Path, text: &str, span: Range<usize>, message: &str) -> Self {
        let (message, help) = worded(message);
        Self {
            severity: Severity::Error,
            place: Place { file: file.to_owned(), position: Some(position(text.as_bytes(), span.start)) },
            excerpt: Excerpt::of(text, span),
            message,
            help: Some(help.unwrap_or_else(|| "correct it here, or what stands before it".to_owned())),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, excerpt: Option<&Excerpt>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        // Names and problems in it are the operator's or a policy's.
        write!(f, "{}", Visible(&self.message))?;
        if let Some(excerpt) = excerpt {
            write!(f, "\n{excerpt}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {}", Visible(help)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

/// Shows findings with the lines that they are in: for terminals, and not for logs,
/// where nobody expects a part of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct WithLines<'a>(pub &'a [Finding]);

impl fmt::Display for WithLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.write(f, finding.excerpt.as_ref())?;
        }
        Ok(())
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but somebody should know.
    Warning,
}

/// A place in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Line and column (in characters), both from 1; `None` for the file as
    /// a whole.
    pub position: Option<(usize, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Visible(self.file.display()))?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}
