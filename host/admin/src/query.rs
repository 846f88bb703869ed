//! The query of a request.

use percent_encoding::percent_decode_str;

/// The generation to go back to; none for the one before. `None` for what says
/// something else.
pub(crate) fn rollback_to(query: Option<&str>) -> Option<Option<u64>> {
    match query {
        None | Some("") => Some(None),
        Some(query) => query.strip_prefix("to=")?.parse().ok().map(Some),
    }
}

/// A nonce space.
pub(crate) fn space(query: Option<&str>) -> Option<String> {
    decoded(query?.strip_prefix("space=")?)
}

/// A nonce space and a digest.
pub(crate) fn nonce(query: Option<&str>) -> Option<(String, [u8; 32])> {
    let (space, digest) = query?.strip_prefix("space=")?.split_once("&digest=")?;
    Some((decoded(space)?, hex::decode(digest).ok()?.try_into().ok()?))
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains('&')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{nonce, space};

    #[test]
    fn spaces_and_digests_are_read_and_nothing_else() {
        assert_eq!(space(Some("space=a%20b")).as_deref(), Some("a b"));
        let digest = "ab".repeat(32);
        assert_eq!(nonce(Some(&format!("space=a&digest={digest}"))), Some(("a".to_owned(), [0xab; 32])));
        for bad in
            ["", "a", "space=a", "space=a&digest=", "space=a&digest=ab", "digest=ab&space=a", "space=%ff&digest=ab"]
        {
            assert_eq!(nonce(Some(bad)), None, "{bad}");
        }
    }
}
