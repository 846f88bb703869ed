//! The demo's requests, and the answers that it expects.

use super::client::{self, Answer};
use super::gate::STRIPE_SECRET;
use super::table::Row;
use crate::shell;
use anyhow::Result;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Keys of which the rules have the hashes.
const READER_KEY: &str = "demo-reader-key";
pub(super) const ADMIN_KEY: &str = "demo-admin-key";

/// How many requests a minute the rules give to each caller.
const PER_MINUTE: usize = 3;

const DELIVERY: &str = r#"{"type":"payment_intent.succeeded","amount":4200}"#;

/// Sends them all, in an order in which each shows what it is about.
pub(super) fn send_all(gate: SocketAddr) -> Result<Vec<Row>> {
    let now = now_unix()?;
    let (fresh, old) = (signature(now, DELIVERY), signature(now - 3_600, DELIVERY));
    let webhook = |signature: &str, body: &str| {
        client::send(gate, "POST /webhooks/stripe", &[("stripe-signature", signature)], body)
    };
    let get = |key: &str, path: &str| client::send(gate, &format!("GET {path}"), &[("x-api-key", key)], "");

    let mut rows = vec![
        row("a signed delivery", 200, None, || webhook(&fresh, DELIVERY))?,
        row("the same, tampered with", 403, Some("signature-mismatch"), || {
            webhook(&fresh, &DELIVERY.replace("4200", "9900"))
        })?,
        row("one signed an hour ago", 403, Some("timestamp-too-old"), || webhook(&old, DELIVERY))?,
        row("the first one, replayed", 200, Some("duplicate-acknowledged"), || webhook(&fresh, DELIVERY))?,
        row("a reader, where admins may", 403, Some("insufficient-scope"), || get(READER_KEY, "/v1/reports"))?,
    ];
    // A refused call costs nothing: the reader still has all of its quota.
    for number in 1..=PER_MINUTE {
        rows.push(row(&format!("a reader reads, {number} of {PER_MINUTE}"), 200, None, || {
            get(READER_KEY, "/v1/items")
        })?);
    }
    rows.push(row("once more: over quota", 429, Some("over-quota"), || get(READER_KEY, "/v1/items"))?);
    Ok(rows)
}

fn row(request: &str, status: u16, reason: Option<&'static str>, send: impl FnOnce() -> Result<Answer>) -> Result<Row> {
    let (answer, took) = shell::timed(send);
    Ok(Row { request: request.to_owned(), expected: (status, reason), answer: answer?, took })
}

/// As Stripe signs: <https://docs.stripe.com/webhooks/signature>.
fn signature(unix_seconds: u64, body: &str) -> String {
    let key = Hmac::<Sha256>::new_from_slice(STRIPE_SECRET.as_bytes());
    let signed = key.map(|mac| mac.chain_update(format!("{unix_seconds}.{body}")).finalize().into_bytes());
    let digits = signed.map(hex::encode).unwrap_or_default();
    format!("t={unix_seconds},v1={digits}")
}

#[expect(clippy::disallowed_methods, reason = "the sender of a webhook signs its own time")]
fn now_unix() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
