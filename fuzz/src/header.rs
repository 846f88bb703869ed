//! Fields that policies read, each with a grammar of its own: whatever is
//! written there, nobody who lacks the secret is let in.
//!
//! The lines are the field's value, the timestamp, the id and the body.

use barmkin_guest::test::{Policy, Request, Secret, TestKey};
use barmkin_guest::types::{Algorithm, Decision};
use std::cell::LazyCell;

/// Providers, and where they put the signature, the time and the id.
const PROVIDERS: [(&str, &str, &str, &str); 10] = [
    ("github", "x-hub-signature-256", "", ""),
    ("shopify", "x-shopify-hmac-sha256", "", ""),
    ("slack", "x-slack-signature", "x-slack-request-timestamp", ""),
    ("standard-webhooks", "webhook-signature", "webhook-timestamp", "webhook-id"),
    ("stripe", "stripe-signature", "", ""),
    ("generic", "x-signature", "", ""),
    ("standard-webhooks", "svix-signature", "svix-timestamp", "svix-id"),
    ("shopify", "shopify-hmac-sha256", "", ""),
    ("twitch", "twitch-eventsub-message-signature", "twitch-eventsub-message-timestamp", "twitch-eventsub-message-id"),
    ("xero", "x-xero-signature", "", ""),
];

type Webhooks = Policy<barmkin_webhook_signature::Settings>;
type ApiKeys = Policy<barmkin_api_key::Settings>;

/// Nobody can guess it in the time of a test.
const SECRET: &[u8] = b"\x5f\x8e\xc2\x10\x9b\x77\xe4\x3d\xa1\x06\xfa\x4c\xd9\x68\xb3\x25";

pub(crate) fn check(input: &[u8]) {
    thread_local! {
        static WEBHOOKS: LazyCell<Vec<Webhooks>> = LazyCell::new(|| PROVIDERS.iter().map(|it| webhooks(it.0)).collect());
        static KEYS: LazyCell<[(&'static str, ApiKeys); 2]> = LazyCell::new(|| {
            [("x-api-key", api_keys("")), ("authorization", api_keys(r#", "basic": "password""#))]
        });
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (value, timestamp, id, body) = (line(), line(), line(), line());
    // Over HTTP no other value comes (RFC 9110, section 5.5), and the double takes none.
    let is_value = |text: &str| text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if ![value, timestamp, id].into_iter().all(is_value) {
        return;
    }
    let request = || Request::post("/").at(1_700_000_000_000).body(body);
    WEBHOOKS.with(|policies| {
        for (policy, (_, header, time_header, id_header)) in policies.iter().zip(PROVIDERS) {
            let mut request = request().header(header, value);
            for (name, value) in [(time_header, timestamp), (id_header, id)] {
                if !name.is_empty() {
                    request = request.header(name, value);
                }
            }
            refuses(&policy.check(&request));
        }
    });
    KEYS.with(|policies| {
        policies.iter().for_each(|(header, policy)| refuses(&policy.check(&request().header(header, value))))
    });
}

fn refuses(decision: &Decision) {
    let Decision::Deny(denial) = decision else { panic!("it was not denied: {decision:?}") };
    assert!((400..600).contains(&denial.status), "{denial:?}");
    assert_ne!(denial.code, "contract-violation", "{denial:?}");
}

fn webhooks(provider: &str) -> Webhooks {
    let key = TestKey::new(Algorithm::HmacSha256, [Secret::new("2026", SECRET)]);
    let settings = format!(r#"{{ "provider": "{provider}" }}"#);
    Policy::configure(&settings).expect("the provider is known").with_key("signing", key)
}

fn api_keys(more: &str) -> ApiKeys {
    let pepper = TestKey::new(Algorithm::KeyedHashSha256, [Secret::new("2026", SECRET)]);
    let hash = "0123456789abcdef".repeat(4);
    let settings = format!(r#"{{ "keys": [{{ "id": "acme", "hash": "{hash}" }}]{more} }}"#);
    Policy::configure(&settings).expect("the settings are right").with_key("pepper", pepper)
}
