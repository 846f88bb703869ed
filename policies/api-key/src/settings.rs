use std::collections::{BTreeMap, BTreeSet};

use barmkin_guest::prelude::*;
use serde::Deserialize;

use crate::ApiKeys;
use crate::credential::{BasicPart, Credential};
use crate::places::{self, Place, Places};
use crate::table::{Entry, Hash, Table};
use crate::time::Time;

/// The settings.
#[policy(rule = ApiKeys)]
pub struct Settings {
    /// The header with the key, in lower case: `x-api-key` unless given.
    #[serde(default)]
    header: Option<String>,
    /// The key is in Basic authentication instead: as `user` or `password`.
    #[serde(default)]
    basic: Option<BasicPart>,
    /// Several places, of which a request uses one: `{ header = "x-api-key" }`,
    /// `{ scheme = "Bearer" }`, `{ basic = "password" }`, `{ cookie = "key" }`.
    #[serde(default)]
    places: Option<Vec<Place>>,
    /// The keys that are known.
    keys: Vec<KnownKey>,
}

/// A key that is known by its hash.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KnownKey {
    /// The id of the principal.
    id: String,
    /// HMAC-SHA256 of the key under the pepper: 64 hex digits.
    hash: String,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    /// RFC 3339. From this time on the key counts no more.
    #[serde(default)]
    expires: Option<Time>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

impl TryFrom<Settings> for ApiKeys {
    type Error = Problems;

    fn try_from(settings: Settings) -> Result<Self, Problems> {
        let places = places(settings.header, settings.basic, settings.places)?;
        Ok(Self { places, table: table(settings.keys)? })
    }
}

fn places(header: Option<String>, basic: Option<BasicPart>, places: Option<Vec<Place>>) -> Result<Places, Problems> {
    match (header, basic, places) {
        (None, None, None) => Ok(Places::new(vec![Credential::Header("x-api-key".to_owned())])),
        (None, None, Some(given)) => places::read(given),
        (None, Some(part), None) => Ok(Places::new(vec![Credential::Basic(part)])),
        (Some(name), None, None) if places::is_header_name(&name) => Ok(Places::new(vec![Credential::Header(name)])),
        (Some(name), None, None) => Err(Problems::one(
            "header",
            format!("`{name}` is not a header name in lower case"),
            "use letters, digits and hyphens",
        )),
        (Some(_), Some(_), None) => Err(Problems::one(
            "basic",
            "the key is either in a header of its own or in Basic authentication",
            "give one of `header` and `basic`, or both as `places`",
        )),
        (_, _, Some(_)) => Err(Problems::one(
            "places",
            "`header` and `basic` are places, too",
            "give all of them as `places`, such as `[{ header = \"x-api-key\" }, { basic = \"password\" }]`",
        )),
    }
}

fn table(keys: Vec<KnownKey>) -> Result<Table, Problems> {
    let mut problems = Problems::new();
    let mut entries = Vec::with_capacity(keys.len());
    let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for (index, key) in keys.into_iter().enumerate() {
        if key.id.is_empty() {
            let help = "name whom the key stands for";
            problems.add(&format!("keys.{index}.id"), "the id is empty", help);
        } else if !ids.insert(key.id.clone()) {
            let problem = format!("`{}` has two keys", key.id);
            let help = "give each key an id of its own, also while one replaces the other";
            problems.add(&format!("keys.{index}.id"), problem, help);
        }
        let Some(hash) = hash(&key.hash) else {
            problems.add(
                &format!("keys.{index}.hash"),
                "a hash has 64 hex digits",
                "put in the HMAC-SHA256 of the key under the pepper, never the key",
            );
            continue;
        };
        if !hashes.insert(hash) {
            let problem = format!("the key of `{}` belongs to somebody else too", key.id);
            let help = "give each caller a key of its own";
            problems.add(&format!("keys.{index}.hash"), problem, help);
        }
        entries.push(entry(key, hash));
    }
    problems.or(Table::new(entries))
}

fn hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

fn entry(key: KnownKey, hash: Hash) -> Entry {
    Entry {
        hash,
        id: key.id,
        tenant: key.tenant,
        roles: key.roles,
        scopes: key.scopes,
        expires_unix_ms: key.expires.map(|expires| expires.unix_ms),
        attributes: key.attributes.into_iter().collect(),
    }
}
