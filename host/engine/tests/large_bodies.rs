//! Bodies that take long to hash.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use bytes::Bytes;
use common::{head, policy, route, spec};
use hmac::{Hmac, KeyInit, Mac};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The case that users need: a large body under the two secrets of a rotation,
/// in time that is not the policy's, with turns for others while it is hashed.
#[test]
fn a_signed_body_of_25_mb_passes_under_two_secrets_and_lets_others_on() {
    let key = Key::new(Algorithm::HmacSha256)
        .with_secret("new", b"new secret", None)
        .and_then(|key| key.with_secret("old", common::SECRET, None))
        .unwrap();
    let mut signed = common::scripted(0, true, OnError::Deny);
    signed.settings["body"] = true.into();
    let mut route = route("r", &[policy("signed")]);
    route.body_bytes_max = Some(32 * 1024 * 1024);
    route.public = true;
    let spec = spec(vec![("signed", signed)], vec![route], 10);
    let services = Services::new(MemoryStore::default());
    let keys = KeyRing::default().with("signing", key);
    let gate = Gate::new(Generation::build(&common::ENGINE, &spec, &keys, services).unwrap());
    let body = Bytes::from(vec![7; 25_000_000]);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(common::SECRET).unwrap();
    mac.update(&body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let fields = [common::act(0, format!("verify:{signature}"))];

    let mut turns = 0;
    {
        let mut check = pin!(gate.check(head("/r", &fields), Body::Whole(body.clone())));
        let mut context = Context::from_waker(Waker::noop());
        let verdict = loop {
            match check.as_mut().poll(&mut context) {
                Poll::Ready(verdict) => break verdict,
                Poll::Pending => turns += 1,
            }
        };
        assert!(matches!(verdict, Verdict::Allow(_)), "{:?}", verdict.reason());
    }
    assert!(turns >= 2 * 23, "{turns} turns for others");
    // Callers that cannot await have the same.
    let verdict = gate.check_now(head("/r", &fields), Body::Whole(body)).unwrap();
    assert!(matches!(verdict, Verdict::Allow(_)), "{:?}", verdict.reason());
}
