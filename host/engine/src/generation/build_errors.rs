//! Why a generation cannot be built, and how that is printed.

use crate::generation::error::{At, Problem};
use std::fmt;

/// One thing that keeps a generation from being built. `{:#}` writes what to do
/// about it on a line of its own.
#[derive(Debug, thiserror::Error)]
pub struct BuildError {
    /// The part of the configuration that it is about.
    pub at: At,
    /// The problem itself.
    pub problem: Problem,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, problem } = self;
        write!(f, "{at}: {problem}")?;
        match problem.help().filter(|_| f.alternate()) {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that keeps a generation from being built.
///
/// The help is not lost on the way through `?`: it is the
/// [`source`](std::error::Error::source), so that the chain has it in one line, as
/// `{:#}` of an `anyhow::Error`. `{:#}` and `{:?}` of the errors themselves, and
/// of a `Box<dyn Error>`, which `main` may return, write each problem with its help
/// below it.
pub struct BuildErrors {
    errors: Vec<BuildError>,
    help: Option<Help>,
}

impl BuildErrors {
    pub(crate) fn new(errors: Vec<BuildError>) -> Self {
        let help = Help::of(&errors);
        Self { errors, help }
    }

    /// One by one.
    pub fn errors(&self) -> &[BuildError] {
        &self.errors
    }

    /// One by one.
    pub fn into_errors(self) -> Vec<BuildError> {
        self.errors
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            match (index, f.alternate()) {
                (0, false) => write!(f, "{error}")?,
                (_, false) => write!(f, "; {error}")?,
                (0, true) => write!(f, "{error:#}")?,
                (_, true) => write!(f, "\n{error:#}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl std::error::Error for BuildErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.help.as_ref().map(|help| help as _)
    }
}

/// The remedies for all of the problems, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Help(String);

impl Help {
    /// `None` where there is no help for any of them.
    fn of(errors: &[BuildError]) -> Option<Self> {
        let helps = errors.iter().filter_map(|error| Some((&error.at, error.problem.help()?)));
        let lines: Vec<_> = match errors {
            [_] => helps.map(|(_, help)| help).collect(),
            _ => helps.map(|(at, help)| format!("{at}: {help}")).collect(),
        };
        (!lines.is_empty()).then(|| Self(lines.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::{At, BuildError, BuildErrors, Problem};
    use std::error::Error;

    fn errors(count: usize) -> BuildErrors {
        let problems = [
            (At::Policy("p".into()), Problem::UnusedVouch),
            (At::Route("r".into()), Problem::ChainTooLong(99)),
            (At::Route("s".into()), Problem::EmptyChain),
        ];
        let errors = problems.into_iter().map(|(at, problem)| BuildError { at, problem });
        BuildErrors::new(errors.take(count).collect())
    }

    /// As `{:#}` of an `anyhow::Error` prints it.
    fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }

    #[test]
    fn help_reaches_whoever_prints_the_chain() {
        let told = "policy `p`: the policy is granted `vouch`, but vouches for nothing: remove the grant";
        assert_eq!(chain(&errors(1)), told);
        let told = "policy `p`: the policy is granted `vouch`, but vouches for nothing; route `r`: the chain has 99 \
                    policies, too many; route `s`: the chain is empty: policy `p`: remove the grant; route `s`: name \
                    at least one policy, or delete the route";
        assert_eq!(chain(&errors(3)), told);
    }

    #[test]
    fn help_reaches_whoever_returns_a_box_from_main() {
        let boxed: Box<dyn Error> = errors(3).into();
        let told = "policy `p`: the policy is granted `vouch`, but vouches for nothing\n  help: remove the grant\n\
                    route `r`: the chain has 99 policies, too many\n\
                    route `s`: the chain is empty\n  help: name at least one policy, or delete the route";
        assert_eq!(format!("{boxed:#}"), told);
        // As `main` prints it.
        assert_eq!(format!("{boxed:?}"), told);
        assert!(!boxed.to_string().contains('\n'));
    }

    #[test]
    fn a_problem_without_help_has_no_source() {
        let errors = BuildErrors::new(vec![BuildError { at: At::PrincipalField, problem: Problem::ChainTooLong(99) }]);
        assert!(errors.source().is_none());
    }
}
