//! Query parameters, as `application/x-www-form-urlencoded` reads them: the
//! ones that everybody reads alike.

use crate::reason::HostReason;
use percent_encoding::percent_decode_str;

/// The values of every parameter `name` in `query`, decoded, in order.
///
/// Some backends separate parameters at `;` as well (HTML 4.01, appendix
/// B.2.2). To them there may be another value, and then there is none here.
pub(super) fn values(query: &str, name: &str) -> Result<Vec<String>, HostReason> {
    let mut values = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key)? == name {
            values.push(decode(value)?);
        }
        if pair.contains(';') {
            for part in pair.split(';') {
                if decode(part.split('=').next().unwrap_or_default())? == name {
                    return Err(HostReason::MalformedQuery);
                }
            }
        }
    }
    Ok(values)
}

/// `target` without the query parameters of these names, however they are
/// written; `None` if it has none of them.
pub(crate) fn without(target: &str, names: &[String]) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let (removed, kept): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| is_named(pair, names));
    let rest = || if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    (!removed.is_empty()).then(rest)
}

/// The names of those parameters as `target` has them, for proxies that compare
/// them as they are written.
pub(crate) fn written<'t>(target: &'t str, names: &[String]) -> Vec<&'t str> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let named = query.split('&').filter(|pair| is_named(pair, names));
    named.map(|pair| pair.split('=').next().unwrap_or_default()).collect()
}

/// Whether a pair is one of these names, also to those who separate parameters at
/// `;` as well.
fn is_named(pair: &str, names: &[String]) -> bool {
    pair.split(';').any(|part| {
        let name = decode(part.split('=').next().unwrap_or_default());
        name.is_ok_and(|name| names.contains(&name))
    })
}

fn decode(text: &str) -> Result<String, HostReason> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| HostReason::MalformedQuery)
}

#[cfg(test)]
mod tests {
    use super::{values, without, written};

    #[test]
    fn a_parameter_is_removed_however_it_is_written() {
        let without = |target| without(target, &["key".to_owned(), "k2".to_owned()]);
        assert_eq!(without("/a?key=1").as_deref(), Some("/a"));
        assert_eq!(without("/a?b=%2f&k%65y=1&c&KEY=2&key&k2=3").as_deref(), Some("/a?b=%2f&c&KEY=2"));
        assert_eq!(without("/a?b=1;key=2&c=3").as_deref(), Some("/a?c=3"));
        for target in ["/a", "/a?", "/a?b=key", "/key?keys=1", "/a?b=1&&c"] {
            assert_eq!(without(target), None, "{target}");
        }
        let names = ["key".to_owned()];
        assert_eq!(written("/a?k%65y=1&b&b=1;key=2&key", &names), ["k%65y", "b", "key"]);
    }

    #[test]
    fn every_occurrence_counts_however_it_is_written() {
        assert_eq!(values("a=1&%61=2&b=3&a", "a").unwrap(), ["1", "2", ""]);
        assert_eq!(values("q=x+y%2B", "q").unwrap(), ["x y+"]);
        assert!(values("a=%ff", "a").is_err());
        assert!(values("", "a").unwrap().is_empty());
    }

    #[test]
    fn a_parameter_that_only_some_would_see_is_refused() {
        for query in ["b=1;a=2", "a=1;b=2", "a=1&b=2;%61=3", ";a"] {
            assert!(values(query, "a").is_err(), "{query}");
        }
        assert_eq!(values("a=1%3Bb&c=x;y", "a").unwrap(), ["1;b"]);
    }
}
