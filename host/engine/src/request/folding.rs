//! Foldings that only some backends do: the operator says which.

use crate::generation::spec::BackendFolding;
use percent_encoding::percent_decode_str;

/// Whether a backend with one of `foldings` serves something else under
/// `path`, which is in canonical form.
pub(super) fn is_folded(path: &str, foldings: &[BackendFolding]) -> bool {
    let text = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = text.split('/').filter(|segment| !segment.is_empty());
    foldings.iter().any(|folding| match folding {
        BackendFolding::WindowsNames => segments.clone().any(is_windows_alias),
        BackendFolding::FormatSuffixes => segments.next_back().is_some_and(has_suffix),
    })
}

/// Names that Windows takes for another file's: it drops dots and spaces at
/// the end, `:` begins the name of a stream (`::$DATA` is the file itself),
/// and `~1` is in short names.
fn is_windows_alias(segment: &str) -> bool {
    let short = segment.split('~').skip(1).any(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
    segment.ends_with(['.', ' ']) || segment.contains(':') || short
}

/// `report.json`, which frameworks serve as `report` in a format.
fn has_suffix(segment: &str) -> bool {
    segment.rsplit_once('.').is_some_and(|(name, suffix)| !name.is_empty() && !suffix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_folded;
    use crate::generation::spec::BackendFolding::{FormatSuffixes, WindowsNames};

    #[test]
    fn what_windows_takes_for_another_name_is_folded() {
        for path in ["/admin.", "/admin%20", "/admin%20/x", "/a./b", "/admin::$DATA", "/a:b", "/ADMIN~1", "/a~2.txt/b"]
        {
            assert!(is_folded(path, &[WindowsNames]), "{path}");
            assert!(!is_folded(path, &[]), "{path}");
        }
        for path in ["/", "/admin", "/a.b/c", "/~user", "/a%20b", "/a~b"] {
            assert!(!is_folded(path, &[WindowsNames]), "{path}");
        }
    }

    #[test]
    fn a_format_is_a_suffix_of_the_last_segment() {
        for path in ["/admin.json", "/v1/items.xml", "/v1/items/7.json/", "/v1.2"] {
            assert!(is_folded(path, &[FormatSuffixes]), "{path}");
        }
        for path in ["/", "/v1.2/items", "/.well-known", "/items"] {
            assert!(!is_folded(path, &[FormatSuffixes]), "{path}");
        }
    }
}
