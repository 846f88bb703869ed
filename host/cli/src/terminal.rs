//! The one way to standard output and standard error: what others wrote, such
//! as names, problems and details, cannot command the terminal.

use barmkin_config::VisibleLines;
use std::fmt::Arguments;
use std::io::{self, Write};

/// Writes to `to`. Nobody is left to be told when that fails.
pub(crate) fn write(mut to: impl Write, text: Arguments<'_>, end: &str) {
    let _ = write!(to, "{}{end}", VisibleLines(text)).and_then(|()| to.flush());
}

pub(crate) fn out() -> impl Write {
    io::stdout().lock()
}

pub(crate) fn err() -> impl Write {
    io::stderr().lock()
}

/// As the standard library's, in place of it.
macro_rules! println {
    ($($arguments:tt)*) => { $crate::terminal::write($crate::terminal::out(), format_args!($($arguments)*), "\n") };
}

/// As the standard library's, in place of it.
macro_rules! print {
    ($($arguments:tt)*) => { $crate::terminal::write($crate::terminal::out(), format_args!($($arguments)*), "") };
}

/// As the standard library's, in place of it.
macro_rules! eprintln {
    ($($arguments:tt)*) => { $crate::terminal::write($crate::terminal::err(), format_args!($($arguments)*), "\n") };
}

/// As the standard library's, in place of it.
macro_rules! eprint {
    ($($arguments:tt)*) => { $crate::terminal::write($crate::terminal::err(), format_args!($($arguments)*), "") };
}
