//! The one way to standard output and standard error: what others wrote, such
//! as names, problems and details, cannot command the terminal.

use barmkin_config::VisibleLines;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why standard output does not have all of what was written to it.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output. A reader that has gone has seen enough, as `head` has,
/// and the command goes on to its end; what else keeps it from being written is
/// [`failure`].
pub(crate) fn out(text: Arguments<'_>, end: &str) {
    if let Err(error) = write(io::stdout().lock(), text, end)
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first of them; the others follow from it.
        let _ = FAILURE.set(error);
    }
}

/// Writes a line to standard output that is shown once, and says whether somebody
/// took it.
pub(crate) fn show_once(text: Arguments<'_>) -> io::Result<()> {
    write(io::stdout().lock(), text, "\n")
}

/// Writes to standard error. Nobody is left to be told when that fails.
pub(crate) fn err(text: Arguments<'_>, end: &str) {
    let _ = write(io::stderr().lock(), text, end);
}

/// Why what was printed is not all there: a full disk, for example.
pub(crate) fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}

fn write(mut to: impl Write, text: Arguments<'_>, end: &str) -> io::Result<()> {
    write!(to, "{}{end}", VisibleLines(text))?;
    to.flush()
}

/// Standard error for the log of a gate, which goes on when nobody reads it.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As the standard library's, in place of it.
macro_rules! println {
    ($($arguments:tt)*) => { $crate::terminal::out(format_args!($($arguments)*), "\n") };
}

/// As the standard library's, in place of it.
macro_rules! print {
    ($($arguments:tt)*) => { $crate::terminal::out(format_args!($($arguments)*), "") };
}

/// As the standard library's, in place of it.
macro_rules! eprintln {
    ($($arguments:tt)*) => { $crate::terminal::err(format_args!($($arguments)*), "\n") };
}
