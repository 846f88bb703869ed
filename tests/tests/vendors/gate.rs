//! The gate that the same deliveries are put to: the stock provider, as it
//! comes.

use barmkin_host::{
    Algorithm, Body, Client, Engine, EngineSettings, Gate, Generation, Head, Key, KeyRing, Member, MemoryStore,
    PolicySpec, Route, Services, Spec, Verdict,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::delivery::Delivery;
use crate::library::Library;
use crate::vendor::Vendor;

/// A gate for one vendor.
pub(crate) struct Receiver {
    vendor: Vendor,
    engine: Engine,
    spec: Spec,
    /// With the secrets of the last delivery.
    gate: Option<Gate>,
    secrets: Vec<String>,
}

/// The gate's word on a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accepted,
    Rejected { status: u16, reason: String },
}

impl Receiver {
    pub(crate) fn new(vendor: Vendor) -> Self {
        let mut policy = PolicySpec::new(barmkin_stock::WEBHOOK_SIGNATURE.component);
        policy.settings = json!({ "provider": vendor.provider() });
        policy.grants.keys.insert("signing".to_owned(), "signing".to_owned());
        policy.grants.vouch = true;
        let mut route = Route::new("webhook");
        route.chain.push(Member::Policy("signature".to_owned()));
        let spec = Spec { policies: [("signature".to_owned(), policy)].into(), routes: vec![route], ..Spec::default() };
        let engine =
            Engine::new(&EngineSettings { concurrent_checks_max: 4, ..EngineSettings::default() }).expect("an engine");
        Self { vendor, engine, spec, gate: None, secrets: Vec::new() }
    }

    /// Decides `delivery`, with the real clock.
    pub(crate) fn decide(&mut self, delivery: &Delivery, library: &mut Library) -> Decision {
        let mut headers = HeaderMap::new();
        for (name, value) in &delivery.fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let head = Head {
            method: Method::POST,
            version: http::Version::HTTP_11,
            scheme: "https",
            authority: Some("hooks.example.com".to_owned()),
            target: "/webhooks".to_owned(),
            headers,
            client: Client::default(),
        };
        let body = Body::Whole(delivery.body.clone().into());
        match self.gate(&delivery.secrets, library).check_now(head, body).expect("the store is in this process") {
            Verdict::Allow(permit) => {
                assert_eq!(permit.principal().unwrap().id, self.vendor.provider());
                Decision::Accepted
            }
            Verdict::Deny(denial) => {
                Decision::Rejected { status: denial.status().as_u16(), reason: denial.reason().to_string() }
            }
        }
    }

    /// The gate with `secrets`, which are rotated in as an operator does it.
    fn gate(&mut self, secrets: &[String], library: &mut Library) -> &Gate {
        let next = match self.gate.take() {
            Some(gate) if self.secrets == secrets => gate,
            before => self.with_secrets(before, secrets, library),
        };
        self.gate.insert(next)
    }

    fn with_secrets(&mut self, before: Option<Gate>, secrets: &[String], library: &mut Library) -> Gate {
        let bytes: Vec<_> = secrets.iter().map(|secret| self.bytes(secret, library)).collect();
        let keys = KeyRing::default().with("signing", key_of(self.vendor, &bytes));
        let generation = match before {
            None => Generation::build(&self.engine, &self.spec, &keys, Services::new(MemoryStore::default())),
            Some(gate) => gate.generation().next(&self.engine, &self.spec, &keys),
        };
        secrets.clone_into(&mut self.secrets);
        Gate::new(generation.unwrap_or_else(|errors| panic!("{errors}")))
    }

    /// The bytes that a secret stands for.
    fn bytes(&self, secret: &str, library: &mut Library) -> Vec<u8> {
        match self.vendor {
            Vendor::Discord => library.public_key(secret),
            Vendor::StandardWebhooks | Vendor::Svix => {
                BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
            }
            Vendor::GitHub | Vendor::Shopify | Vendor::Slack | Vendor::Stripe => secret.as_bytes().to_vec(),
        }
    }
}

fn key_of(vendor: Vendor, secrets: &[Vec<u8>]) -> Key {
    let algorithm = if vendor == Vendor::Discord { Algorithm::Ed25519 } else { Algorithm::HmacSha256 };
    secrets
        .iter()
        .enumerate()
        .fold(Key::new(algorithm), |key, (index, secret)| key.with_secret(&index.to_string(), secret, None).unwrap())
}
