//! Turns a verdict into what the calling proxy understands.

use crate::Options;
use crate::dialect::{Dialect, Removal};
use crate::original;
use crate::refusal::Refusal;
use crate::upgrade;
use barmkin_host::{Body, Change, ClientAddress, Denial, Gate, Permit, REASON_FIELD, REQUEST_ID_FIELD, Verdict};
use barmkin_tower::TurnedAway;
use barmkin_tower::server::Place;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use ipnet::IpNet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

const STATUS_FIELD: HeaderName = HeaderName::from_static("barmkin-status");

/// Answers calls.
pub(crate) struct Endpoint {
    gate: Arc<Gate>,
    dialect: Dialect,
    callers: ClientAddress,
    gates: Vec<IpNet>,
    upgrades: Vec<Box<str>>,
    listener: Option<Arc<str>>,
}

impl Endpoint {
    pub(crate) fn new(gate: Arc<Gate>, options: Options) -> Self {
        let callers = ClientAddress::RightmostUntrusted(options.trusted_proxies.clone());
        let Options { dialect, gates, upgrades, listener, .. } = options;
        Self { gate, dialect, callers, gates, upgrades, listener }
    }

    pub(crate) async fn answer<B>(self: Arc<Self>, call: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        // What a call may carry as a body is not the request's.
        let parts = call.into_parts().0;
        let response = self.decide(parts).await.unwrap_or_else(|refusal| {
            let detail = refusal.detail(&self.dialect);
            let listener = self.listener.as_deref();
            if self.gate.admits_log_line() {
                tracing::warn!(listener, reason = refusal.reason(), detail, "a call was refused");
            }
            refuse(&self.dialect, &refusal, &detail)
        });
        Ok(response.map(Full::new))
    }

    async fn decide(&self, parts: http::request::Parts) -> Result<Response<Bytes>, Refusal> {
        let peer = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        let peer = peer.filter(|peer| self.callers.trusts(Some(*peer))).ok_or(Refusal::UntrustedCaller(peer))?;
        let is_turned_away = parts.extensions.get::<TurnedAway>().is_some();
        let place = parts.extensions.get::<Place>().cloned();
        let mut head = original::read(&self.dialect, parts, peer, &self.callers)?;
        head.client.listener = self.listener.clone();
        if let Some(place) = place {
            place.counts_for(head.client.address);
        }
        // Taken first: a permit of a newer generation is refused rather than
        // misread.
        let generation = self.gate.generation();
        self.check_fields(&head.headers, peer, generation.gate_fields())?;
        let intake = self.gate.intake(head);
        let verdict =
            if is_turned_away { intake.overloaded() } else { self.gate.decide(intake, Body::NotCarried).await };
        match verdict {
            Verdict::Allow(permit) => allow(&self.dialect, permit, generation.gate_fields()),
            Verdict::Deny(denial) => Ok(deny(&self.dialect, &denial)),
        }
    }
}

impl Endpoint {
    /// Refuses what the proxy should have kept from the gate and so, as far as
    /// can be told from here, does not keep from the upstream.
    fn check_fields(&self, headers: &HeaderMap, peer: IpAddr, gate_fields: &[HeaderName]) -> Result<(), Refusal> {
        if matches!(self.dialect.removal(), Removal::Named(_)) {
            // Envoy removes by itself what it is told to, and changes protocols
            // only where its own configuration names them.
            return Ok(());
        }
        if !upgrade::is_allowed(headers, &self.upgrades) {
            return Err(Refusal::Upgrade);
        }
        let from_gate = self.gates.iter().any(|net| net.contains(&peer.to_canonical()));
        // Balancers set request ids, and the gate's own replaces theirs.
        let carried = gate_fields.iter().find(|name| **name != REQUEST_ID_FIELD && headers.contains_key(*name));
        if let Some(name) = carried.filter(|_| !from_gate) {
            return Err(Refusal::NotRemoved(name.clone()));
        }
        let dashed = |name: &HeaderName| name.as_str().replace('_', "-");
        let is_known = |name: &str| {
            gate_fields.iter().any(|field| field.as_str() == name)
                || ["x-forwarded-", "x-original-"].iter().any(|start| name.starts_with(start))
        };
        let is_spelling = |name: &&HeaderName| name.as_str().contains('_') && is_known(&dashed(name));
        headers.keys().find(is_spelling).map_or(Ok(()), |name| Err(Refusal::ForgedField(name.clone())))
    }
}

/// Tells of every field that the gate changes, as it must reach the upstream.
fn allow(dialect: &Dialect, permit: Box<Permit>, gate_fields: &[HeaderName]) -> Result<Response<Bytes>, Refusal> {
    let mut changed: Vec<HeaderName> = permit.changes().iter().map(|change| name(change).clone()).collect();
    changed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    changed.dedup();
    let removal = dialect.removal();
    if !matches!(removal, Removal::Named(_))
        && let Some(forged) = changed.iter().find(|name| !gate_fields.contains(name))
    {
        // The operator's lines for this proxy cannot name it.
        return Err(Refusal::ForgedField(forged.clone()));
    }
    if !permit.removed_query_parameters().is_empty() {
        return Err(Refusal::QueryChanged);
    }
    // Nobody tells of the response: effects that wait for it stay.
    let (head, _) = permit.into_forwarded();
    let mut response = Response::new(Bytes::new());
    let fields = response.headers_mut();
    for name in changed {
        let mut values = head.headers.get_all(&name).iter().peekable();
        if values.peek().is_none() {
            remove(fields, &removal, &name);
        }
        for value in values {
            fields.append(name.clone(), value.clone());
        }
    }
    Ok(response)
}

fn remove(fields: &mut http::HeaderMap, removal: &Removal, name: &HeaderName) {
    match removal {
        Removal::EmptyValue => drop(fields.insert(name, HeaderValue::from_static(""))),
        Removal::Absence => {}
        Removal::Named(list) => drop(fields.append(list, name.clone().into())),
    }
}

fn deny(dialect: &Dialect, denial: &Denial) -> Response<Bytes> {
    // A refused gRPC call is answered with 200 elsewhere, which would allow it
    // here: the denial itself has the status.
    refusing(dialect, denial.status(), denial.response())
}

/// A problem document (RFC 9457), as the gate's own denials.
fn refuse(dialect: &Dialect, refusal: &Refusal, detail: &str) -> Response<Bytes> {
    let status = refusal.status();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "reason": refusal.reason(),
        "detail": detail,
    });
    let mut response = Response::new(Bytes::from(problem.to_string()));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    fields.insert(REASON_FIELD, HeaderValue::from_static(refusal.reason()));
    refusing(dialect, status, response)
}

/// Every answer that is no allow leaves through here.
fn refusing(dialect: &Dialect, status: StatusCode, mut response: Response<Bytes>) -> Response<Bytes> {
    *response.status_mut() = dialect.refusing(status);
    response.headers_mut().insert(STATUS_FIELD, status.as_u16().into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn name(change: &Change) -> &HeaderName {
    match change {
        Change::Set(name, _) | Change::Append(name, _) | Change::Remove(name) => name,
    }
}
