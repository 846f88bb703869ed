//! The answers that clients get to a denial, through each proxy.

use super::attacks::{exchange, get};
use super::front::Front;

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(field, _)| field.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

/// Failed before through nginx, which answered 403 for 429, without the time.
#[test]
fn a_denial_reaches_the_client_whole() {
    for front in Front::ALL {
        let Some(setup) = front.start() else { continue };
        let send = |target: &str, fields: &str| exchange(&setup, get(target, fields).as_bytes());

        let unknown = send("/v1/items", "x-api-key: nobody\r\n");
        assert!(unknown.starts_with("HTTP/1.1 401"), "{front:?}: {unknown}");
        let head = unknown.split("\r\n\r\n").next().unwrap().to_lowercase();
        assert_eq!(head.matches("\r\nwww-authenticate: ").count(), 1, "{front:?}: {unknown}");
        assert_eq!(field(&unknown, "barmkin-reason"), Some("unknown-api-key"), "{front:?}: {unknown}");

        // The quota is one, and shared by all proxies of this test.
        send("/v1/scarce", "x-api-key: reader-key\r\n");
        let over = send("/v1/scarce", "x-api-key: reader-key\r\n");
        assert!(over.starts_with("HTTP/1.1 429"), "{front:?}: {over}");
        let seconds: u64 = field(&over, "retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        assert!((80_000..=86_400).contains(&seconds), "{front:?}: {over}");
        assert_eq!(field(&over, "barmkin-reason"), Some("over-quota"), "{front:?}");

        let ambiguous = send("/public/../admin", "");
        assert!(ambiguous.starts_with("HTTP/1.1 400"), "{front:?}: {ambiguous}");
        assert_eq!(field(&ambiguous, "barmkin-reason"), Some("ambiguous-path"), "{front:?}");
        assert!(ambiguous.contains("\"reason\":\"ambiguous-path\""), "{front:?}: {ambiguous}");

        for denied in [unknown, over, ambiguous] {
            assert_eq!(field(&denied, "x-upstream"), None, "{front:?}: {denied}");
        }
    }
}
