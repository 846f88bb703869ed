//! The gate without anything around it: what every way in is held against.

use super::barmkin::Barmkin;
use crate::rules::SECRETS;
use barmkin_config::{Config, LoadOptions};
use barmkin_host::{
    Body, Client, Clock, Engine, EngineSettings, Gate, Head, MemoryStore, Services, SystemClock, Verdict,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::Arc;

/// A gate in this process that is asked directly.
pub struct ReferenceGate {
    /// The gate, for ways in that run in this process too.
    pub gate: Arc<Gate>,
}

/// A gate with `rules`.
pub fn reference_gate(rules: &str) -> ReferenceGate {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = Barmkin::write_configuration(folder.path(), rules, &SECRETS);
    let config = Config::load(file, &LoadOptions::at(SystemClock.now())).unwrap_or_else(|report| panic!("{report}"));
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 16, ..EngineSettings::default() })
        .expect("this machine runs the engine");
    let services = Services::new(MemoryStore::default());
    let generation = config.build(&engine, services).unwrap_or_else(|report| panic!("{report}"));
    ReferenceGate { gate: Arc::new(Gate::new(generation)) }
}

impl ReferenceGate {
    /// Decides a request from a client on this machine.
    pub fn check(&self, method: &str, target: &str, fields: &[(&str, &[u8])], body: &[u8]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a field name");
            headers.append(name, HeaderValue::from_bytes(value).expect("a field value"));
        }
        let head = Head {
            method: Method::from_bytes(method.as_bytes()).expect("a method"),
            version: http::Version::HTTP_11,
            scheme: "http",
            authority: None,
            target: target.to_owned(),
            headers,
            client: Client { address: Some([127, 0, 0, 1].into()), ..Client::default() },
        };
        self.gate.check_now(head, Body::Whole(body.to_vec().into())).expect("the store is in this process")
    }
}
