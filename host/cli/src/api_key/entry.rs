//! The entry of a key, as the stock policy `api-key` reads it.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::collections::BTreeMap;

/// The properties of a key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The id of the key, which logs name: `acme-2026`. Each key has its own.
    #[arg(long)]
    id: String,
    /// Whom it stands for, if that is not the id: several keys may stand for one
    /// principal, which then has one quota.
    #[arg(long)]
    principal: Option<String>,
    /// The principal's tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Roles it is given.
    #[arg(long)]
    role: Vec<String>,
    /// Scopes it is given.
    #[arg(long)]
    scope: Vec<String>,
    /// The key counts from this time on, such as `2026-12-31T00:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    not_before: Option<String>,
    /// The key no longer counts from this time on.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<String>,
    /// For the policies behind it.
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
}

/// An entry.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    id: String,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

impl Entry {
    pub(crate) fn new(args: Args, hash: &[u8]) -> Result<Self> {
        for (name, value) in [("id", Some(&args.id)), ("principal", args.principal.as_ref())] {
            if value.is_some_and(String::is_empty) {
                bail!("the {name} is empty\n  help: the policy would refuse such a key");
            }
            if value.is_some_and(|value| value.chars().any(char::is_control)) {
                bail!("the {name} has a control character\n  help: logs name it: use letters, digits and `-`");
            }
        }
        let unix = |time: &Option<String>| time.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        if let (Some(from), Some(to)) = (unix(&args.not_before), unix(&args.expires))
            && from >= to
        {
            bail!("the key expires before it counts\n  help: put `--expires` after `--not-before`");
        }
        Ok(Self {
            id: args.id,
            hash: hex::encode(hash),
            principal: args.principal,
            tenant: args.tenant,
            roles: args.role,
            scopes: args.scope,
            not_before: args.not_before,
            expires: args.expires,
            attributes: args.attribute.into_iter().collect(),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// As an inline table.
    pub(crate) fn to_toml(&self) -> Result<String> {
        Ok(toml::Value::try_from(self).context("the entry cannot be written")?.to_string())
    }
}

/// RFC 3339, as the policy will read it.
fn time(text: &str) -> Result<String, String> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    let is_plain = text.as_bytes().get(10) == Some(&b'T') && !text.contains('[');
    if time.is_ok() && is_plain { Ok(text.to_owned()) } else { Err("write it as `2026-12-31T00:00:00Z`".to_owned()) }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("key-id", _)) => Err("`key-id` is the id of the key".to_owned()),
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write a name, `=` and a value".to_owned()),
    }
}
