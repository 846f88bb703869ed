//! The policy of `fixtures/demanding`: it has the host work as much as it can.

use super::fixture;
use barmkin_host::*;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static GUEST: LazyLock<Arc<[u8]>> = LazyLock::new(|| fixture("demanding"));

/// Bytes of the body that [`request`] carries.
pub const BODY_BYTES: usize = 1024 * 1024;

/// The demands that it can be asked to make: each host function at its most.
pub const DEMANDS: [&str; 22] = [
    "body under an hmac key",
    "body under a public key",
    "body many times under an hmac key",
    "body many times under a public key",
    "much under an hmac key",
    "much under a public key",
    "long candidates",
    "many public key signatures",
    "many parts",
    "keyed hashes",
    "long log lines",
    "many log pairs",
    "long nonces",
    "nonces",
    "deliveries",
    "treatments",
    "long subjects",
    "subjects",
    "takes",
    "readings",
    "a long answer",
    "many fields",
];

/// It, with all that it asks for, on a public route for everything.
pub fn spec() -> (Spec, KeyRing) {
    let mut policy = PolicySpec::new(GUEST.clone());
    policy.memory_bytes = 16 * 1024 * 1024;
    let same = |name: &str| (name.to_owned(), name.to_owned());
    policy.grants.keys = ["signing", "public", "lookup"].map(same).into();
    policy.grants.nonces = BTreeMap::from([same("nonces")]);
    policy.grants.quotas = BTreeMap::from([("quota".to_owned(), vec!["quota".to_owned()])]);
    let mut route = Route::new("demanding");
    route.chain = vec![Member::Policy("demanding".to_owned())];
    route.public = true;
    let rate = Gcra { interval: std::time::Duration::from_micros(1), limit: 1_000_000 };
    let spec = Spec {
        nonces: BTreeMap::from([("nonces".to_owned(), NonceSpace::default())]),
        quotas: BTreeMap::from([(
            "quota".to_owned(),
            Quota { rule: rate.into(), key: QuotaKey::Route, keep: Keep::OnAllow, entries_max: None },
        )]),
        policies: BTreeMap::from([("demanding".to_owned(), policy)]),
        routes: vec![route],
        ..Spec::default()
    };
    (spec, keys())
}

/// A key of each kind.
///
/// # Panics
/// Never: the secrets are written here.
pub fn keys() -> KeyRing {
    let key = |algorithm, secret: &[u8]| Key::new(algorithm).with_secret("test", secret, None).unwrap();
    // RFC 8032 section 7.1, TEST 1.
    let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    KeyRing::default()
        .with("signing", key(Algorithm::HmacSha256, b"secret"))
        .with("public", key(Algorithm::Ed25519, &public))
        .with("lookup", key(Algorithm::KeyedHashSha256, b"pepper"))
}

/// A request that has it demand `what`.
///
/// # Panics
/// When `what` is not a field value.
pub fn request(what: &str) -> (Head, Body) {
    let mut head = super::head("/", false);
    head.headers.insert("x-demand", what.parse().unwrap());
    (head, Body::Whole(Bytes::from(vec![b'a'; BODY_BYTES])))
}
