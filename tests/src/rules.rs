//! The rules that tests serve, and the secrets they name.

use crate::harness::keyed_hash;

const PEPPER: &str = "pepper of the tests";

/// The secret that the tests sign GitHub's webhooks with.
pub const GITHUB_SECRET: &str = "It's a Secret to Everybody";

/// Files below `secrets/`, and what is in them.
pub const SECRETS: [(&str, &str); 2] = [("pepper", PEPPER), ("github", GITHUB_SECRET)];

/// An API with keys, roles and quotas; no chain needs the body.
pub fn api() -> String {
    with_hashes(include_str!("../rules/api.toml"))
}

/// The same, and signed webhooks.
pub fn api_and_webhooks() -> String {
    api() + include_str!("../rules/webhooks.toml")
}

/// Rules name keys by what they are: only their hashes are configured.
pub fn with_hashes(rules: &str) -> String {
    let mut pieces = rules.split("HASH-OF:");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (key, rest) = piece.split_once('"').expect("a key ends with its quotation mark");
        text.push_str(&keyed_hash(PEPPER, key));
        text.push('"');
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::api_and_webhooks;

    #[test]
    fn no_key_is_left_in_the_rules() {
        let rules = api_and_webhooks();
        assert!(!rules.contains("HASH-OF") && !rules.contains("reader-key"));
    }
}
