//! How a provider signs.

use std::collections::BTreeMap;

use barmkin_guest::settings::Duration;
use barmkin_guest::types;
use barmkin_guest::{Problems, Schema};
use serde::Deserialize;

use crate::reason::Statuses;
use crate::template::Template;

/// A way of signing: where the signatures are, what they cover, and when they
/// are fresh.
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scheme {
    /// The provider's page that this follows.
    #[serde(default, rename = "documentation")]
    _documentation: String,
    /// The header with the signatures, in lower case.
    pub(crate) header: String,
    /// The character between several of them, besides spaces and tabs. Without it there
    /// is one.
    #[serde(default)]
    pub(crate) separator: Option<char>,
    /// The kinds of signatures that count. Others are passed over.
    pub(crate) signatures: Vec<Signature>,
    /// Where the signing time is. It must be in `signed` as well.
    #[serde(default)]
    pub(crate) timestamp: Option<Timestamp>,
    /// The header with the id of the message. It must be in `signed` as well.
    #[serde(default)]
    pub(crate) id_header: Option<String>,
    /// The text that is signed, in which `{id}`, `{timestamp}` and `{body}` stand for those of
    /// the delivery, byte for byte. `{body}` must be in it.
    pub(crate) signed: Template,
    /// Other names under which all of its headers can come.
    #[serde(default)]
    pub(crate) other_headers: Vec<OtherHeaders>,
    /// The statuses with which it refuses.
    #[serde(default)]
    pub(crate) statuses: Statuses,
}

/// A kind of signature.
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Signature {
    /// The text that it begins with, such as `sha256=`. Defaults to none.
    #[serde(default)]
    pub(crate) prefix: String,
    /// How it is made.
    pub(crate) algorithm: Algorithm,
    /// How its bytes are written.
    pub(crate) encoding: Encoding,
}

/// Where the signing time is: a header of its own, or an item among the
/// signatures that begins with this text.
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Timestamp {
    /// The header of its own, in lower case.
    #[serde(default)]
    pub(crate) header: Option<String>,
    /// The beginning of the item, such as `t=`.
    #[serde(default)]
    pub(crate) item: Option<String>,
    /// How it is written.
    pub(crate) unit: Unit,
    /// By how much it may differ from now, to either side.
    pub(crate) tolerance: Duration,
}

#[derive(Clone, Copy, Debug, Deserialize, Schema)]
pub(crate) enum Unit {
    /// Seconds since 1970.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since 1970.
    #[serde(rename = "ms")]
    Milliseconds,
    /// A date and a time of day, as RFC 3339 writes them.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

#[derive(Clone, Copy, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Algorithm {
    /// HMAC with SHA-1 (RFC 2104).
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519 (RFC 8032).
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

#[derive(Clone, Copy, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// Two digits a byte, in either case.
    Hex,
    /// Base64, in either alphabet, with or without padding.
    Base64,
    /// As `base64`.
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
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OtherHeaders {
    /// For `header`.
    header: String,
    /// For the header of `timestamp`, where the scheme has one.
    #[serde(default)]
    timestamp_header: Option<String>,
    /// For `id-header`, where the scheme has one.
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
