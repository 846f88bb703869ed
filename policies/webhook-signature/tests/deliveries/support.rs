//! Signing, and asking the policy.

use barmkin_guest::test::{Policy, Request, Secret, TestKey};
use barmkin_guest::types::{Algorithm, Decision};
use barmkin_webhook_signature::Settings;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;

pub(crate) type Webhooks = Policy<Settings>;

pub(crate) const NOW_S: u64 = 1_700_000_000;
pub(crate) const BODY: &str = r#"{"event":"paid"}"#;
const SECRET: &[u8] = b"a secret of thirty-two characters";

pub(crate) fn mac(signed: &str) -> Vec<u8> {
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(SECRET).unwrap();
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn ed25519(signed: &str) -> Vec<u8> {
    signing_key().sign(signed.as_bytes()).to_bytes().to_vec()
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A policy whose key is an HMAC key.
pub(crate) fn policy(settings: &Value) -> Webhooks {
    let key = TestKey::new(Algorithm::HmacSha256, [Secret::new("2026", SECRET)]);
    Policy::configure(&settings.to_string()).unwrap().with_key("signing", key)
}

/// The policy for Discord.
pub(crate) fn discord() -> Webhooks {
    let public = signing_key().verifying_key().to_bytes();
    let key = TestKey::new(Algorithm::Ed25519, [Secret::new("2026", public)]);
    Policy::configure(r#"{ "provider": "discord" }"#).unwrap().with_key("signing", key)
}

/// A delivery of [`BODY`] at [`NOW_S`].
pub(crate) fn decide(policy: &Webhooks, headers: &[(&str, &str)]) -> Decision {
    let request = Request::post("/").at(NOW_S * 1_000).body(BODY);
    policy.check(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

/// The code of the decision, or `ok`.
pub(crate) fn ask(policy: &Webhooks, headers: &[(&str, &str)]) -> String {
    decide(policy, headers).code().unwrap_or("ok").to_owned()
}
