//! Requests as people write them: in flags, and in files.

use crate::help::Help;
use anyhow::{Context, Result, anyhow, bail};
use barmkin_config::Config;
use barmkin_host::{Body, Client, Head};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A request in a file (JSON or TOML).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Request")]
pub(crate) struct Written {
    /// Defaults to `GET`.
    #[serde(default = "get")]
    method: String,
    /// Path and query, byte for byte as the server would receive them.
    target: String,
    /// The host, if a `host` header does not say it.
    #[serde(default)]
    host: Option<String>,
    /// The scheme that the client used.
    #[serde(default)]
    scheme: Scheme,
    /// Values by name; several are several fields.
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    /// The body, as text.
    #[serde(default)]
    body: Option<String>,
    /// The body, as base64 (RFC 4648, section 4).
    #[serde(default)]
    body_base64: Option<String>,
    /// The address of the client.
    #[serde(default)]
    client_address: Option<IpAddr>,
    /// The listener that it comes by.
    #[serde(default)]
    listener: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The scheme that the client used.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scheme {
    /// Without TLS.
    Http,
    /// Over TLS.
    #[default]
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Values {
    /// A field.
    One(String),
    /// Fields, in order.
    Many(Vec<String>),
}

impl Written {
    /// The request as an adapter would hand it over.
    pub(crate) fn to_parts(&self) -> Result<(Head, Body)> {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            let values = match values {
                Values::One(value) => std::slice::from_ref(value),
                Values::Many(values) => values,
            };
            for value in values {
                append(&mut headers, name, value.as_bytes())?;
            }
        }
        let body = match (&self.body, &self.body_base64) {
            (Some(_), Some(_)) => bail!("the request has both `body` and `body-base64`\n  help: write one of them"),
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => BASE64_STANDARD
                .decode(text)
                .context("`body-base64` is not base64")
                .help("write it with padding, in the usual alphabet")?,
            (None, None) => Vec::new(),
        };
        let (target, host) = (self.target.clone(), self.host.clone());
        let mut head = head(&self.method, target, host, self.scheme, headers, self.client_address)?;
        head.client.listener = self.listener.as_deref().map(Into::into);
        Ok((head, Body::Whole(body.into())))
    }
}

/// A time on the command line.
pub(crate) fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse()
        .map_err(|_| "it is not a time\n  help: write one by RFC 3339, such as `2026-12-01T00:00:00Z`".to_owned())
}

/// A head with everything that a client could have sent.
pub(crate) fn head(
    method: &str,
    target: String,
    authority: Option<String>,
    scheme: Scheme,
    headers: HeaderMap,
    address: Option<IpAddr>,
) -> Result<Head> {
    // Only HTTP/1.0 has requests without a host.
    let names_host = authority.is_some() || headers.contains_key(HOST);
    Ok(Head {
        method: Method::from_bytes(method.as_bytes())
            .map_err(|_| anyhow!("`{method}` is not a method"))
            .help("write letters alone, such as `POST`")?,
        version: if names_host { Version::HTTP_11 } else { Version::HTTP_10 },
        scheme: scheme.as_str(),
        authority,
        target,
        headers,
        client: Client { address, ..Client::default() },
    })
}

/// Refuses a request to a listener that `config` does not have.
pub(crate) fn check_listener(head: &Head, config: &Config) -> Result<()> {
    match &head.client.listener {
        Some(name) if config.listeners().iter().all(|listener| *listener.name != **name) => {
            let names: Vec<_> = config.listeners().iter().map(|listener| format!("`{}`", listener.name)).collect();
            let help =
                if names.is_empty() { "leave it out".to_owned() } else { format!("use one of {}", names.join(", ")) };
            bail!("there is no listener `{name}`\n  help: {help}")
        }
        _ => Ok(()),
    }
}

/// Adds a field, as bytes: what no field can hold cannot be sent either.
pub(crate) fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<()> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| anyhow!("`{name}` is not the name of a field"))
        .help("use letters, digits and hyphens")?;
    let value = HeaderValue::from_bytes(value)
        .map_err(|_| anyhow!("field `{name}` cannot have that value"))
        .help("leave out control characters, which no field can hold")?;
    headers.append(field, value);
    Ok(())
}
