//! Patterns of paths.

use barmkin_path::Fault as Unreadable;

/// A pattern, segment by segment. `/` alone has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) segments: Vec<Segment>,
    /// It ends in `**`: whatever follows, also nothing.
    pub(crate) open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    /// `*` or `{name}`: one segment that is not empty.
    Any,
}

/// The problem with a pattern, and its remedy.
pub(crate) type Fault = (String, &'static str);

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let Some(path) = text.strip_prefix('/') else {
            return Err((format!("`{text}` does not begin with `/`"), "write the whole path"));
        };
        if path.ends_with('/') {
            return Err((format!("`{text}` ends with `/`"), "leave it out: a path is matched with and without it"));
        }
        let (path, open) = match path.strip_suffix("**") {
            Some("") => ("", true),
            Some(before) if before.ends_with('/') => (before.trim_end_matches('/'), true),
            _ => (path, false),
        };
        let segments = segments(path).map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments, open })
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, Fault> {
        let named = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if text == "*" || named.is_some_and(|name| !name.is_empty() && !name.contains(['{', '}'])) {
            return Ok(Self::Any);
        }
        if text.is_empty() {
            return Err(("a segment is empty".to_owned(), "no path has two slashes in a row"));
        }
        if text.contains(['*', '{', '}']) {
            return Err((
                format!("`{text}` is neither text nor a wildcard"),
                "a wildcard is a whole segment: `*`, `{name}`, or `**` at the end",
            ));
        }
        // In the form in which the host has the paths of requests: however a
        // segment is spelled here, it is the same one.
        match barmkin_path::normalize(&format!("/{text}")) {
            Ok(normal) => Ok(Self::Literal(normal.trim_start_matches('/').to_owned())),
            Err(Unreadable::Malformed) => Err((
                format!("`{text}` cannot be in a path"),
                "write the path as it is on the wire, percent-encoded and without query",
            )),
            Err(Unreadable::Ambiguous) => Err((
                format!("`{text}` can be read in two ways, so no request has it"),
                "write it without dot segments, `;`, separators or control characters, encoded or not",
            )),
        }
    }
}

/// The segments of a path after its first slash. A slash at the end is not
/// looked at: most backends serve the same with and without it.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    let count_max = if path.is_empty() { 0 } else { usize::MAX };
    path.strip_suffix('/').unwrap_or(path).split('/').take(count_max)
}
