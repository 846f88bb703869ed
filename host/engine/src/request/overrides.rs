//! Ways in which frameworks let a client say afterwards that its request was
//! another one.

use percent_encoding::percent_decode_str;

/// Fields that replace the method, for clients that can only send GET and POST.
pub(crate) const METHOD_OVERRIDES: [&str; 4] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-http-override"];

/// Fields that replace the target, which were meant for a server that rewrites
/// it for those behind.
pub(crate) const TARGET_OVERRIDES: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// Whether field `name` replaces the target, or where `method_decides` the
/// method. Nearly all fields begin otherwise, and are not compared with any.
pub(crate) fn is_override(name: &str, method_decides: bool) -> bool {
    matches!(name.as_bytes(), [b'x', b'-', b'h' | b'm' | b'o' | b'r', ..])
        && (TARGET_OVERRIDES.contains(&name) || (method_decides && METHOD_OVERRIDES.contains(&name)))
}

/// Whether `query` has a `_method`, however it is written, and whatever
/// separates parameters.
pub(super) fn names_method(query: &str) -> bool {
    let names = query.split(['&', ';']).map(|pair| pair.split('=').next().unwrap_or_default());
    names.into_iter().any(|name| {
        let name = percent_decode_str(name).collect::<Vec<u8>>();
        name.trim_ascii().eq_ignore_ascii_case(b"_method")
    })
}

#[cfg(test)]
mod tests {
    use super::{METHOD_OVERRIDES, TARGET_OVERRIDES, is_override, names_method};

    #[test]
    fn every_field_that_overrides_is_found() {
        assert!(TARGET_OVERRIDES.iter().all(|name| is_override(name, false)));
        assert!(METHOD_OVERRIDES.iter().all(|name| is_override(name, true) && !is_override(name, false)));
        assert!(!is_override("x-request-id", true));
    }

    #[test]
    fn a_method_in_the_query_is_found_however_it_is_written() {
        for query in
            ["_method=PUT", "a=b&_method=put", "a;_method=x", "%5fmethod", "_METHOD=PUT", "%20_method=PUT", "_method"]
        {
            assert!(names_method(query), "{query}");
        }
        for query in ["", "method=PUT", "a=_method", "x_method=PUT", "_methods=1"] {
            assert!(!names_method(query), "{query}");
        }
    }
}
