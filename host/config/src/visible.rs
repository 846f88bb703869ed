//! Text that others wrote, for terminals and logs.

use barmkin_host::misleads;
use std::fmt::{self, Write};

/// Shows text such that it cannot command a terminal, begin a line of its own,
/// or change the order in which it is read: such characters as `\u001b`, which
/// JSON reads as well.
#[derive(Clone, Copy, Debug)]
pub struct Visible<T>(pub T);

impl<T: fmt::Display> fmt::Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f, &[]), "{}", self.0)
    }
}

/// The same for text of several lines, which stay.
#[derive(Clone, Copy, Debug)]
pub struct VisibleLines<T>(pub T);

impl<T: fmt::Display> fmt::Display for VisibleLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f, &['\n', '\t']), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>, &'static [char]);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            char if misleads(char) && !self.1.contains(&char) => write!(self.0, "\\u{:04x}", u32::from(char)),
            char => self.0.write_char(char),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Visible, VisibleLines};

    #[test]
    fn nothing_commands_a_terminal() {
        assert_eq!(
            Visible("a\u{1b}[2Jb\n\u{9b}c\u{202e}d\r").to_string(),
            "a\\u001b[2Jb\\u000a\\u009bc\\u202ed\\u000d"
        );
        assert_eq!(VisibleLines("a\n\tb\u{7}").to_string(), "a\n\tb\\u0007");
        assert_eq!(Visible("café 日本").to_string(), "café 日本");
    }
}
