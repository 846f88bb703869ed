use std::collections::{BTreeMap, BTreeSet};

use barmkin_guest::prelude::*;
use serde::Deserialize;

use crate::ApiKeys;
use crate::credential::{BasicPart, Credential};
use crate::places::{self, Place, Places};
use crate::reason::REASONS;
use crate::table::{Entry, Hash, Table};
use crate::time::Time;

/// The attribute of a principal that names the key by which it came.
const KEY_ID: &str = "key-id";

/// Knows callers by their keys, and lets them in. Only keyed hashes of the keys are in
/// the settings: the host makes the hash of the key that a request carries, under the
/// secret that is granted as `pepper`. `barmkin api-key new` makes keys.
#[policy(rule = ApiKeys, reasons = REASONS, example = "../example.toml")]
pub struct Settings {
    /// The header with the key, in lower case. Defaults to `x-api-key`.
    #[serde(default)]
    header: Option<String>,
    /// Which part of Basic authentication is the key, where it comes by that.
    #[serde(default)]
    basic: Option<BasicPart>,
    /// Several places, of which a request uses one, instead of `header` and `basic`.
    #[serde(default)]
    places: Option<Vec<Place>>,
    /// The keys that are known.
    keys: Vec<KnownKey>,
}

/// A key, known by its hash. Its fields are those of a line in a file of keys.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KnownKey {
    /// The id of the key, which logs name. It is not a secret.
    id: String,
    /// HMAC-SHA256 of the key under the pepper: 64 hex digits.
    hash: String,
    /// The id of the principal. Defaults to that of the key. Several keys may stand for
    /// one principal, whose quotas they share.
    #[serde(default)]
    principal: Option<String>,
    /// Whom the principal belongs to.
    #[serde(default)]
    tenant: Option<String>,
    /// Roles of the principal, for `rbac-scopes`.
    #[serde(default)]
    roles: Vec<String>,
    /// Scopes of the principal.
    #[serde(default)]
    scopes: Vec<String>,
    /// When the key starts counting, as RFC 3339 writes times.
    #[serde(default)]
    not_before: Option<Time>,
    /// When the key stops counting, as RFC 3339 writes times.
    #[serde(default)]
    expires: Option<Time>,
    /// Facts about the principal for later policies. `key-id` is added to them.
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
        let at = |field: &str| format!("keys.{index}.{field}");
        if key.id.is_empty() {
            problems.add(&at("id"), "the id is empty", "name the key, such as `acme-2026`");
        } else if !ids.insert(key.id.clone()) {
            let help = "give each key an id of its own, and the caller that several stand for as `principal`";
            problems.add(&at("id"), format!("there are two keys with the id `{}`", key.id), help);
        }
        if key.principal.as_ref().is_some_and(String::is_empty) {
            problems.add(&at("principal"), "the principal is empty", "name whom the key stands for, or leave it out");
        }
        if let (Some(from), Some(to)) = (key.not_before, key.expires)
            && from.unix_ms >= to.unix_ms
        {
            problems.add(&at("expires"), "the key expires before it counts", "put `expires` after `not-before`");
        }
        if key.attributes.contains_key(KEY_ID) {
            let help = "give the attribute another name";
            problems.add(&at("attributes.key-id"), "the attribute `key-id` is the id of the key", help);
        }
        let Some(hash) = hash(&key.hash) else {
            problems.add(
                &at("hash"),
                "a hash has 64 hex digits",
                "put in the HMAC-SHA256 of the key under the pepper, never the key",
            );
            continue;
        };
        if !hashes.insert(hash) {
            let problem = format!("the key `{}` has the hash of another", key.id);
            problems.add(&at("hash"), problem, "make a key for each, with `barmkin api-key new`");
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
    let mut attributes: Vec<_> = key.attributes.into_iter().collect();
    attributes.push((KEY_ID.to_owned(), key.id.clone()));
    Entry {
        hash,
        principal: key.principal.unwrap_or_else(|| key.id.clone()),
        id: key.id,
        tenant: key.tenant,
        roles: key.roles,
        scopes: key.scopes,
        not_before_unix_ms: key.not_before.map(|time| time.unix_ms),
        expires_unix_ms: key.expires.map(|time| time.unix_ms),
        attributes,
    }
}
