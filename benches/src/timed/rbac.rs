//! Fifty roles, from the bytes that the peers start from too.

use crate::fixture::{chain, engine, roles};
use crate::native::NativeRoles;
use anyhow::Result;
use barmkin_bench_peer::{Decide, Question, Subject};
use barmkin_guest::types;
use barmkin_host::{Body, Client, Head, MemoryStore, Principal, PrincipalKind, Services};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
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
        let text = Bytes::copy_from_slice(request.0.as_bytes());
        let mut document: Document<'_> = serde_json::from_str(std::str::from_utf8(&text)?)?;
        let mut principal = Principal::new(PrincipalKind::User, std::mem::take(&mut document.claims.sub), "token");
        principal.tenant = document.claims.tenant.take();
        principal.roles = std::mem::take(&mut document.claims.roles);
        let client = Client { principal: Some(principal), ..Client::default() };
        Ok(gate.check_now(document.into_head(&text, client)?, Body::NotCarried)?.reason().is_none())
    }))
}

fn native(question: &Question) -> Result<Decide> {
    let rule = NativeRoles::new(question)?;
    Ok(Box::new(move |request| {
        let text = Bytes::copy_from_slice(request.0.as_bytes());
        let mut document: Document<'_> = serde_json::from_str(std::str::from_utf8(&text)?)?;
        let mut principal = types::Principal::user(&document.claims.sub).by("token");
        principal.tenant = document.claims.tenant.take();
        principal.roles = std::mem::take(&mut document.claims.roles);
        Ok(rule.allows(&document.into_head(&text, Client::default())?, principal))
    }))
}

/// The request, as an embedder would read it who knows its form.
#[derive(serde::Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    path: String,
    #[serde(borrow)]
    headers: Fields<'a>,
    claims: Claims,
}

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
    tenant: Option<String>,
    roles: Vec<String>,
}

impl Document<'_> {
    /// Values stay in the text, as they stay in the buffer of a server.
    fn into_head(self, text: &Bytes, client: Client) -> Result<Head> {
        let mut headers = HeaderMap::with_capacity(self.headers.0.len());
        for (Text(name), Text(value)) in &self.headers.0 {
            let value = match value {
                Cow::Borrowed(value) => HeaderValue::from_maybe_shared(text.slice_ref(value.as_bytes()))?,
                Cow::Owned(value) => HeaderValue::from_str(value)?,
            };
            headers.append(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        Ok(Head {
            method: Method::from_bytes(self.method.as_bytes())?,
            version: http::Version::HTTP_10,
            scheme: "https",
            authority: None,
            target: self.path,
            headers,
            client,
        })
    }
}

/// Text that is copied only where it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object, in the order of its text.
struct Fields<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(32);
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
