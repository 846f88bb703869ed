//! The remedy for an error, apart from the error.

use anyhow::{Error, Result};
use std::fmt::Display;

/// The beginning of a context that is a remedy.
const MARK: &str = "help: ";

/// Adds a remedy to an error.
pub(crate) trait Help<T> {
    /// With what to do about it, which is shown below it.
    fn help(self, help: impl Display) -> Result<T>;
}

impl<T, E: Into<Error>> Help<T> for Result<T, E> {
    fn help(self, help: impl Display) -> Result<T> {
        self.map_err(|error| error.into().context(format!("{MARK}{help}")))
    }
}

/// The error with its causes on one line, and each remedy below it.
pub(crate) fn shown(error: &Error) -> String {
    let messages: Vec<_> = error.chain().map(|cause| cause.to_string().trim_end().to_owned()).collect();
    let (help, causes): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.starts_with(MARK));
    help.iter().fold(causes.join(": "), |shown, help| format!("{shown}\n  {help}"))
}

#[cfg(test)]
mod tests {
    use super::{Help, shown};
    use anyhow::{Context, anyhow};

    #[test]
    fn a_remedy_stands_below_whatever_it_is_about() {
        let error = Err::<(), _>(anyhow!("cause")).context("what").help("do this").context("where").unwrap_err();
        assert_eq!(shown(&error), "where: what: cause\n  help: do this");
        assert_eq!(shown(&anyhow!("what\n  help: do this")), "what\n  help: do this");
    }
}
