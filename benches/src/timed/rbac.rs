//! Fifty roles, from the bytes that the peers start from too.

use crate::fixture::{chain, engine, roles};
use crate::native::NativeRoles;
use anyhow::Result;
use barmkin_bench_peer::{Claims, Decide, Question, Request, Subject};
use barmkin_guest::types;
use barmkin_host::{Body, Client, Head, MemoryStore, Principal, PrincipalKind, Services};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Sandboxed and native.
///
/// # Errors
/// When a gate cannot be built.
pub fn rbac(question: &Question) -> Result<Vec<Subject>> {
    Ok(vec![
        Subject::deciding("rbac_fresh", question, fresh(question)?)?,
        Subject::deciding("rbac_native", question, native(question)?)?,
    ])
}

fn fresh(question: &Question) -> Result<Decide> {
    let gate = chain(engine(), Services::new(MemoryStore::default()), vec![roles(question)])?;
    Ok(Box::new(move |request| {
        let claims: Claims = serde_json::from_str(&request.claims)?;
        let mut principal = Principal::new(PrincipalKind::User, claims.sub, "token");
        principal.tenant = Some(claims.tenant);
        principal.roles = claims.roles;
        let client = Client { principal: Some(principal), ..Client::default() };
        Ok(gate.check_now(head(request, client)?, Body::NotCarried)?.reason().is_none())
    }))
}

fn native(question: &Question) -> Result<Decide> {
    let rule = NativeRoles::new(question)?;
    Ok(Box::new(move |request| {
        let claims: Claims = serde_json::from_str(&request.claims)?;
        let mut principal = types::Principal::user(&claims.sub).by("token");
        principal.tenant = Some(claims.tenant);
        principal.roles = claims.roles;
        Ok(rule.allows(&head(request, Client::default())?, principal))
    }))
}

fn head(request: &Request, client: Client) -> Result<Head> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    Ok(Head {
        method: Method::from_bytes(request.method.as_bytes())?,
        scheme: "https",
        authority: None,
        target: request.path.clone(),
        headers,
        client,
    })
}
