//! The line that a finding is about.

use crate::visible::Visible;
use std::fmt;
use std::ops::Range;

/// Characters that are shown before, in and after what is marked: a line can be a
/// table of a thousand keys.
const BEFORE_MAX: usize = 60;
const MARKED_MAX: usize = 60;
const AFTER_MAX: usize = 40;

/// A line of a file, in which something is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    number: usize,
    before: String,
    marked: String,
    after: String,
}

impl Excerpt {
    /// The line of `text` in which the bytes `span` begin; `None` where there is
    /// nothing to see.
    pub fn of(text: &str, span: Range<usize>) -> Option<Self> {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let (before, after) = text.split_at_checked(start)?;
        let (number, before) = match before.rfind('\n') {
            Some(newline) => (before.matches('\n').count() + 1, before.get(newline + 1..)?),
            None => (1, before),
        };
        let rest = after.lines().next().unwrap_or_default();
        let length = rest.floor_char_boundary(span.len().min(rest.len()));
        let (marked, after) = rest.split_at_checked(length)?;
        if before.trim().is_empty() && rest.trim().is_empty() {
            return None;
        }
        Some(Self { number, before: last(before), marked: first(marked, MARKED_MAX), after: first(after, AFTER_MAX) })
    }
}

/// One line, with what is marked underlined.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, before, marked, after } = self;
        let margin = number.to_string().len();
        let indent = before.chars().count();
        let marks = "^".repeat(marked.chars().count().max(1));
        writeln!(f, "  {number} | {before}{marked}{after}")?;
        write!(f, "  {:margin$} | {:indent$}{marks}", "", "")
    }
}

/// As it is shown, so that what is counted is what is seen.
fn shown(text: &str) -> Vec<char> {
    Visible(text.replace('\t', " ")).to_string().chars().collect()
}

fn first(text: &str, max: usize) -> String {
    let shown = shown(text.trim_end_matches('\r'));
    match shown.get(..max) {
        Some(kept) if kept.len() < shown.len() => kept.iter().chain(['…'].iter()).collect(),
        _ => shown.iter().collect(),
    }
}

fn last(text: &str) -> String {
    let shown = shown(text);
    match shown.len().checked_sub(BEFORE_MAX).filter(|left| *left > 0) {
        Some(left) => ['…'].iter().chain(shown.iter().skip(left)).collect(),
        None => shown.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;
    use proptest::prelude::*;

    fn shown(text: &str, span: std::ops::Range<usize>) -> String {
        Excerpt::of(text, span).map(|excerpt| excerpt.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_meant_is_underlined_where_it_stands() {
        assert_eq!(shown("a = 1\nkye = \"é\"\n", 6..9), "  2 | kye = \"é\"\n    | ^^^");
        assert_eq!(shown("x = \"é\", y", 10..11), "  1 | x = \"é\", y\n    |          ^");
        // A tab is as wide as what shows it, and so is what would command a terminal.
        assert_eq!(shown("\ta\u{7}b = 1", 3..4), "  1 |  a\\u0007b = 1\n    |         ^");
    }

    #[test]
    fn a_mark_ends_with_its_line_and_an_empty_one_is_seen() {
        assert_eq!(shown("[a]\nx = [\n  1,\n]\n", 8..15), "  2 | x = [\n    |     ^");
        assert_eq!(shown("a = \r\nb", 4..4), "  1 | a = \n    |     ^");
        assert_eq!(shown("\n\n", 1..1), "");
        assert_eq!(shown("", 0..0), "");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}here{}", "b".repeat(10_000), "a".repeat(10_000));
        let shown = shown(&text, 10_000..10_004);
        assert_eq!(shown, format!("  1 | …{}here{}…\n    | {}^^^^", "b".repeat(60), "a".repeat(40), " ".repeat(61)));
    }

    proptest! {
        #[test]
        fn no_text_and_no_span_panics(text in any::<String>(), start in 0..80_usize, length in 0..80_usize) {
            let _ = shown(&text, start..start + length);
        }
    }
}
