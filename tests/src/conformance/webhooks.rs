//! `webhook-vectors/1`: signed requests, against `webhook-signature`.

use super::score::Outcome;
use super::secret::{self, Secret};
use anyhow::{Context, Result};
use barmkin_host::{
    Body, Client, Engine, FixedClock, Gate, Generation, Head, KeyRing, Member, MemoryStore, PolicySpec, Route,
    Services, Spec, Verdict,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A tolerance that every time since 1970 is within.
const UNLIMITED: &str = "36500d";

/// Cases whose signature is the right one, written otherwise: hex in capitals,
/// base64 without padding (of which the last character is) or URL-safe, spaces
/// after commas, an offset of `+00:00`. The files reject them, as those of the
/// providers' libraries do that compare text; `webhook-signature` accepts them, as
/// those do that decode it.
const WRITTEN_OTHERWISE: [&str; 6] = [
    "sig_uppercase_hex",
    "signature_uppercase",
    "sig_padding_removed",
    "sig_urlsafe_alphabet",
    "space_after_separator",
    "timestamp_offset_plus0000",
];

/// A file of signed requests.
#[derive(Deserialize)]
pub(super) struct WebhookVectors {
    provider: String,
    scheme: SchemeFacts,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct SchemeFacts {
    /// How signatures are written.
    #[serde(default)]
    encoding: String,
    /// Where the signing time is, if the scheme signs one.
    timestamp: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Case {
    case: String,
    strictness: Strictness,
    method: String,
    scheme: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    body_utf8: Option<String>,
    body_base64: Option<String>,
    keys: Vec<Secret>,
    now_unix: u64,
    tolerance_s: Option<u64>,
    expect: Expect,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strictness {
    Normative,
    Policy,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Accept,
    Reject,
}

/// Runs every case, those of the same settings and keys on one generation, on
/// all processors.
pub(super) fn run(engine: &Engine, vectors: &WebhookVectors) -> Result<Vec<Outcome>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, case) in vectors.cases.iter().enumerate() {
        let group = serde_json::to_string(&(case.tolerance_s, &case.keys))?;
        groups.entry(group).or_default().push(index);
    }
    let groups = Mutex::new(groups.into_values());
    let outcomes = Mutex::new(BTreeMap::new());
    let work = || -> Result<()> {
        loop {
            let Some(group) = groups.lock().expect("no panic under the lock").next() else { return Ok(()) };
            let receiver = Receiver::new(engine, vectors, &vectors.cases[group[0]])?;
            for index in group {
                let case = &vectors.cases[index];
                let outcome = receiver.outcome(case, vectors.is_accepted(case))?;
                outcomes.lock().expect("no panic under the lock").insert(index, outcome);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(outcomes.into_inner().expect("no panic under the lock").into_values().collect())
}

impl WebhookVectors {
    /// Whether the case is to be accepted.
    fn is_accepted(&self, case: &Case) -> bool {
        // Only where the last character of a signature is padding.
        let lost_padding = self.scheme.encoding == "base64" && case.case == "sig_last_char_dropped";
        case.expect == Expect::Accept || lost_padding || WRITTEN_OTHERWISE.contains(&case.case.as_str())
    }
}

/// A gate with the settings and keys that some cases share.
struct Receiver {
    gate: Gate,
    clock: Arc<FixedClock>,
}

impl Receiver {
    fn new(engine: &Engine, vectors: &WebhookVectors, case: &Case) -> Result<Self> {
        let mut policy = PolicySpec::new(barmkin_stock::WEBHOOK_SIGNATURE.component);
        policy.settings = settings(vectors, case.tolerance_s);
        policy.grants.keys.insert("signing".to_owned(), "signing".to_owned());
        policy.grants.vouch = true;
        let mut route = Route::new("webhook");
        route.chain.push(Member::Policy("signature".to_owned()));
        let spec = Spec { policies: [("signature".to_owned(), policy)].into(), routes: vec![route], ..Spec::default() };
        let keys = KeyRing::default().with("signing", secret::key(&case.keys)?);
        let clock = Arc::new(FixedClock::default());
        let services = Services { clock: clock.clone(), ..Services::new(MemoryStore::default()) };
        let generation = Generation::build(engine, &spec, &keys, services)
            .map_err(|errors| anyhow::anyhow!("{errors}"))
            .with_context(|| format!("the generation for case `{}` was refused", case.case))?;
        Ok(Self { gate: Gate::new(generation), clock })
    }

    fn outcome(&self, case: &Case, expected: bool) -> Result<Outcome> {
        self.clock.set_unix_ms(case.now_unix * 1_000);
        let reason = match case.head()? {
            None => Some("malformed-field".to_owned()),
            Some(head) => match self.gate.check_now(head, case.body()?)? {
                Verdict::Allow(_) => None,
                Verdict::Deny(denial) => Some(denial.reason().to_string()),
            },
        };
        Ok(Outcome {
            case: case.case.clone(),
            normative: case.strictness == Strictness::Normative,
            expected,
            accepted: reason.is_none(),
            faults: Vec::new(),
            reasons: Some((
                if expected { "ok".to_owned() } else { case.reason.replace('_', "-") },
                reason.unwrap_or_else(|| "ok".to_owned()),
            )),
        })
    }
}

impl Case {
    /// `None` if no server would take the fields: they would end the line.
    fn head(&self) -> Result<Option<Head>> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return Ok(None) };
            headers.append(name, value);
        }
        Ok(Some(Head {
            method: Method::from_bytes(self.method.as_bytes())?,
            version: http::Version::HTTP_11,
            scheme: if self.scheme == "http" { "http" } else { "https" },
            authority: Some(self.host.clone()),
            target: self.path.clone(),
            headers,
            client: Client::default(),
        }))
    }

    fn body(&self) -> Result<Body> {
        let bytes = match (&self.body_utf8, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => BASE64_STANDARD.decode(text)?,
            _ => anyhow::bail!("case `{}` does not have exactly one body", self.case),
        };
        Ok(Body::Whole(bytes.into()))
    }
}

/// The settings that an operator would write for these cases.
fn settings(vectors: &WebhookVectors, tolerance_s: Option<u64>) -> Value {
    let provider = match vectors.provider.as_str() {
        "generic_hmac_list" => "generic".to_owned(),
        // The same scheme, under other names.
        "svix" => "standard-webhooks".to_owned(),
        provider => provider.replace('_', "-"),
    };
    let mut settings = json!({ "provider": provider });
    match (tolerance_s, &vectors.scheme.timestamp) {
        (Some(seconds), _) => settings["tolerance"] = json!(format!("{seconds}s")),
        // A case that states no tolerance turns the check off.
        (None, Some(_)) => settings["tolerance"] = json!(UNLIMITED),
        (None, None) => {}
    }
    settings
}
