//! Serde's messages about a value, for those who wrote it: without words for programmers,
//! and with what belongs there as the remedy.

use crate::unknown::nearest;

/// A message of serde, perhaps behind a place, and what to do about it.
pub(crate) fn worded(message: &str) -> (String, Option<String>) {
    let (problem, expected) = message.split_once(", expected ").map_or((message, None), |(p, e)| (p, Some(e)));
    if let Some((place, field)) = behind(problem, "missing field ") {
        return (format!("{place}{field} is missing"), Some(format!("add {field}")));
    }
    if let Some((place, field)) = behind(problem, "unknown field ") {
        let (field, expected) =
            field.split_once(", there are no").map_or((field, expected), |(field, _)| (field, Some("")));
        return (format!("{place}there is no setting {field} here"), expected.map(|names| one_of(field, names)));
    }
    if let Some((place, value)) = behind(problem, "unknown variant ") {
        return (
            format!("{place}{value} is none of what can be written here"),
            expected.map(|names| one_of(value, names)),
        );
    }
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((place, found)) = behind(problem, kind) {
            let problem = format!("{place}{} cannot be written here", found_in_words(found));
            return (problem, expected.map(|expected| format!("write {}", in_words(expected))));
        }
    }
    match (expected, message.rsplit_once(": use ")) {
        (Some(expected), _) => (problem.to_owned(), Some(format!("write {expected}"))),
        (None, Some((problem, remedy))) => (problem.to_owned(), Some(format!("use {remedy}"))),
        (None, None) => (message.to_owned(), None),
    }
}

/// The parts before and behind `words`.
fn behind<'m>(message: &'m str, words: &str) -> Option<(&'m str, &'m str)> {
    let at = message.find(words)?;
    Some((message.get(..at)?, message.get(at + words.len()..)?))
}

/// The name that was meant, or all there are. `names` are as serde lists them: `one of
/// ` and names in backticks, separated by commas or `or`.
fn one_of(written: &str, names: &str) -> String {
    let known: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    match nearest(written.trim_matches('`'), &known) {
        Some(near) => format!("did you mean `{near}`"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("use {names}"),
    }
}

fn found_in_words(found: &str) -> String {
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        _ => match found.split_once(' ') {
            Some(("integer" | "floating", number)) => format!("the number {}", number.trim_start_matches("point ")),
            Some(("boolean", value)) => value.to_owned(),
            Some(("string", text)) => format!("the text `{}`", text.trim_matches('"')),
            _ => found.to_owned(),
        },
    }
}

fn in_words(expected: &str) -> &str {
    match expected {
        "a string" => "text, in quotes",
        "a sequence" => "a list, in square brackets",
        "a map" => "a table",
        "a boolean" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, without quotes",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, without quotes",
        "f32" | "f64" => "a number, without quotes",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::worded;

    #[test]
    fn nobody_has_to_know_serde() {
        for (message, problem, help) in [
            ("missing field `key`", "`key` is missing", Some("add `key`")),
            ("a: unknown field `b`, expected `c`", "a: there is no setting `b` here", Some("did you mean `c`")),
            (
                "unknown field `kye`, expected `a` or `key`",
                "there is no setting `kye` here",
                Some("did you mean `key`"),
            ),
            ("unknown field `a`, there are no fields", "there is no setting `a` here", Some("remove it")),
            (
                "unknown variant `x`, expected one of `ab`, `cd`, `ef`",
                "`x` is none of what can be written here",
                Some("use one of `ab`, `cd`, `ef`"),
            ),
            ("invalid type: sequence, expected a table", "a list cannot be written here", Some("write a table")),
            (
                "invalid type: string \"5\", expected u32",
                "the text `5` cannot be written here",
                Some("write a whole number, without quotes"),
            ),
            (
                "invalid type: floating point `1.5`, expected u32",
                "the number `1.5` cannot be written here",
                Some("write a whole number, without quotes"),
            ),
            ("`x` is not a piece: use `{id}`", "`x` is not a piece", Some("use `{id}`")),
            ("something else", "something else", None),
        ] {
            assert_eq!(worded(message), (problem.to_owned(), help.map(str::to_owned)), "{message}");
        }
    }
}
