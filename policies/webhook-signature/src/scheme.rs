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

impl Scheme {
    /// The headers it reads: that of the signatures, then those of the time and
    /// of the id where it has them.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        let timestamp = self.timestamp.as_ref().and_then(|it| it.header.as_deref());
        [Some(self.header.as_str()), timestamp, self.id_header.as_deref()].into_iter().flatten()
    }
}
