//! Fifty roles, from the bytes that the peers start from too.

use crate::fixture::{chain, engine, roles};
use crate::native::NativeRoles;
use anyhow::Result;
use barmkin_bench_peer::{Decide, Question, Subject};
use barmkin_guest::types;
use barmkin_host::{Body, Client, Head, MemoryStore, Principal, PrincipalKind, Services};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

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
        let mut document: Document<'_> = serde_json::from_str(&request.0)?;
        let mut principal = Principal::new(PrincipalKind::User, std::mem::take(&mut document.claims.sub), "token");
        principal.tenant = document.claims.tenant.take();
        principal.roles = std::mem::take(&mut document.claims.roles);
        let client = Client { principal: Some(principal), ..Client::default() };
        Ok(gate.check_now(document.into_head(client)?, Body::NotCarried)?.reason().is_none())
    }))
}

fn native(question: &Question) -> Result<Decide> {
    let rule = NativeRoles::new(question)?;
    Ok(Box::new(move |request| {
        let mut document: Document<'_> = serde_json::from_str(&request.0)?;
        let mut principal = types::Principal::user(&document.claims.sub).by("token");
        principal.tenant = document.claims.tenant.take();
        principal.roles = std::mem::take(&mut document.claims.roles);
        Ok(rule.allows(&document.into_head(Client::default())?, principal))
    }))
}

/// The request, as an embedder would read it who knows its form.
#[derive(serde::Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    path: String,
    headers: Headers,
    claims: Claims,
}

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
    tenant: Option<String>,
    roles: Vec<String>,
}

impl Document<'_> {
    fn into_head(self, client: Client) -> Result<Head> {
        Ok(Head {
            method: Method::from_bytes(self.method.as_bytes())?,
            scheme: "https",
            authority: None,
            target: self.path,
            headers: self.headers.0,
            client,
        })
    }
}

/// Text that is copied only where it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object, as a header map.
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Headers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Headers, A::Error> {
                let mut headers = HeaderMap::with_capacity(32);
                while let Some((Text(name), Text(value))) = fields.next_entry()? {
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(A::Error::custom)?;
                    headers.append(name, HeaderValue::from_str(&value).map_err(A::Error::custom)?);
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
