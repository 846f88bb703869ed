//! How a provider signs.

use std::collections::BTreeMap;

use barmkin_guest::Problems;
use barmkin_guest::settings::Duration;
use barmkin_guest::types;
use serde::Deserialize;

use crate::reason::Statuses;
use crate::template::Template;

/// A way of signing: where the signatures are, what they cover, and when they
/// are fresh.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scheme {
    /// The provider's page that this follows.
    #[serde(default, rename = "documentation")]
    _documentation: String,
    /// The header with the signatures.
    pub(crate) header: String,
    /// What stands between several of them, besides spaces and tabs; without it
    /// there is one.
    #[serde(default)]
    pub(crate) separator: Option<char>,
    /// The kinds of signatures that count. Others are passed over.
    pub(crate) signatures: Vec<Signature>,
    #[serde(default)]
    pub(crate) timestamp: Option<Timestamp>,
    /// The header with the id of the message.
    #[serde(default)]
    pub(crate) id_header: Option<String>,
    /// What is signed: text with `{id}`, `{timestamp}` and `{body}` in it.
    pub(crate) signed: Template,
    /// Other names under which all of its headers can come.
    #[serde(default)]
    pub(crate) other_headers: Vec<OtherHeaders>,
    /// The statuses with which it refuses.
    #[serde(default)]
    pub(crate) statuses: Statuses,
}

/// A kind of signature.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Signature {
    /// What its text begins with.
    #[serde(default)]
    pub(crate) prefix: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) encoding: Encoding,
}

/// Where the signing time is: a header of its own, or an item among the
/// signatures that begins with this text.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Timestamp {
    #[serde(default)]
    pub(crate) header: Option<String>,
    #[serde(default)]
    pub(crate) item: Option<String>,
    pub(crate) unit: Unit,
    /// By how much it may differ from now, to either side.
    pub(crate) tolerance: Duration,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
    /// No number: a date and a time of day, as RFC 3339 writes them.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Algorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
    Ed25519,
}

impl From<Algorithm> for types::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::HmacSha1 => Self::HmacSha1,
            Algorithm::HmacSha256 => Self::HmacSha256,
            Algorithm::HmacSha512 => Self::HmacSha512,
            Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    Hex,
    Base64,
    Base64url,
}

impl From<Encoding> for types::Encoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Hex => Self::Hex,
            Encoding::Base64 => Self::Base64,
            Encoding::Base64url => Self::Base64url,
        }
    }
}

/// The schemes of providers, by their names.
pub(crate) fn of_providers() -> Result<BTreeMap<String, Scheme>, Problems> {
    serde_json::from_str(include_str!("schemes.json"))
        .map_err(|error| Problems::one("provider", error.to_string(), "this is a defect of ours"))
}

/// Other names of all headers that a scheme reads. Of the providers here, svix
/// sends what Standard Webhooks calls `webhook-*` as `svix-*`
/// (<https://docs.svix.com/receiving/verifying-payloads/how-manual>), and
/// Shopify's libraries take its headers without their `x-`
/// (<https://github.com/Shopify/shopify-api-ruby/blob/main/lib/shopify_api/webhooks/request.rb>).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OtherHeaders {
    header: String,
    #[serde(default)]
    timestamp_header: Option<String>,
    #[serde(default)]
    id_header: Option<String>,
}

/// The names of all headers of a scheme that come together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderSet<'a> {
    pub(crate) signatures: &'a str,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
}

impl Scheme {
    /// The names under which its headers can come, the usual ones first.
    pub(crate) fn header_sets(&self) -> impl Iterator<Item = HeaderSet<'_>> {
        let usual =
            HeaderSet { signatures: &self.header, timestamp: self.timestamp_header(), id: self.id_header.as_deref() };
        let others = self.other_headers.iter().map(|names| HeaderSet {
            signatures: &names.header,
            timestamp: names.timestamp_header.as_deref(),
            id: names.id_header.as_deref(),
        });
        std::iter::once(usual).chain(others)
    }

    /// The headers it reads: set by set, that of the signatures, then those of
    /// the time and of the id where it has them.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.header_sets().flat_map(|set| [Some(set.signatures), set.timestamp, set.id].into_iter().flatten())
    }

    pub(crate) fn timestamp_header(&self) -> Option<&str> {
        self.timestamp.as_ref().and_then(|timestamp| timestamp.header.as_deref())
    }
}
