//! Ways in which frameworks let a client say afterwards that its request was
//! another one.

use percent_encoding::percent_decode_str;

/// Fields that replace the method, for clients that can only send GET and POST.
pub(crate) const METHOD_OVERRIDES: [&str; 4] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-http-override"];

/// Fields that replace the target, or cut a part from its front: they were meant
/// for a server that rewrites it for those behind, or that mounts an application
/// below a path (gunicorn believes `SCRIPT_NAME` and `PATH_INFO` of whatever
/// stands before it on the same machine).
pub(crate) const TARGET_OVERRIDES: [&str; 5] =
    ["path-info", "script-name", "x-original-url", "x-rewrite-url", "x-script-name"];

/// Whether field `name` replaces the target, or where `method_decides` the
/// method. Nearly all fields begin otherwise, and are not compared with any.
pub(crate) fn is_override(name: &str, method_decides: bool) -> bool {
    matches!(name.as_bytes(), [b'x', b'-', b'h' | b'm' | b'o' | b'r' | b's', ..] | [b'p' | b's', b'a' | b'c', ..])
        && (TARGET_OVERRIDES.contains(&name) || (method_decides && METHOD_OVERRIDES.contains(&name)))
}

/// Whether `query` has a `_method`, however it is written, and whatever
/// separates parameters. PHP reads a space, a dot and an open bracket as `_`, but
/// none in front, and nothing after a NUL.
pub(super) fn names_method(query: &str) -> bool {
    let names = query.split(['&', ';']).map(|pair| pair.split('=').next().unwrap_or_default());
    names.into_iter().any(|name| {
        let name = percent_decode_str(name).map(|byte| if byte == b'+' { b' ' } else { byte });
        let name = name.take_while(|byte| *byte != 0).collect::<Vec<u8>>();
        let as_php_does = |byte: &u8| if matches!(byte, b' ' | b'.' | b'[') { b'_' } else { byte.to_ascii_lowercase() };
        name.trim_ascii().iter().map(as_php_does).eq(*b"_method")
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
        for query in [
            "_method=PUT",
            "a=b&_method=put",
            "a;_method=x",
            "%5fmethod",
            "_METHOD=PUT",
            "%20_method=PUT",
            "+_method=PUT",
            "%2B_method",
            ".method=PUT",
            "%2emethod=PUT",
            "[method=PUT",
            "_method%00x=PUT",
            "_method",
        ] {
            assert!(names_method(query), "{query}");
        }
        for query in ["", "method=PUT", "a=_method", "x_method=PUT", "_methods=1", "%00_method=PUT", "_met.hod=PUT"] {
            assert!(!names_method(query), "{query}");
        }
    }
}
