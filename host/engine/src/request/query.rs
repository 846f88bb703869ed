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

fn decode(text: &str) -> Result<String, HostReason> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| HostReason::MalformedQuery)
}

#[cfg(test)]
mod tests {
    use super::values;

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
