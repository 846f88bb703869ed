//! Ways in which frameworks let a client say afterwards that its request was
//! another one.

use percent_encoding::percent_decode_str;

/// Fields that replace the method, for clients that can only send GET and POST.
pub(crate) const METHOD_OVERRIDES: [&str; 4] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-http-override"];

/// Fields that replace the target, which were meant for a server that rewrites
/// it for those behind.
pub(crate) const TARGET_OVERRIDES: [&str; 2] = ["x-original-url", "x-rewrite-url"];

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
    use super::names_method;

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
