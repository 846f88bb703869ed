//! Signatures as providers make them, and hashes as operators keep them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The value of `x-hub-signature-256` for `body`.
pub fn github_signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hmac_sha256(secret, body))
}

/// The hash that is kept of an API key.
pub fn keyed_hash(pepper: &str, key: &str) -> String {
    hmac_sha256(pepper, key.as_bytes())
}

fn hmac_sha256(secret: &str, data: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(data);
    hex::encode(mac.finalize().into_bytes())
}
