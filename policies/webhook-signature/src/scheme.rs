//! How a provider signs.

use std::collections::BTreeMap;

use barmkin_guest::Problems;
use barmkin_guest::settings::Duration;
use barmkin_guest::types;
use serde::Deserialize;

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
    /// What stands between several of them; without it there is one.
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

/// What a signature covers, piece by piece.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(pub(crate) Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Id,
    Timestamp,
    Body,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has `{{` without `}}`"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match name {
                "id" => Piece::Id,
                "timestamp" => Piece::Timestamp,
                "body" => Piece::Body,
                _ => {
                    return Err(format!("`{{{name}}}` is not a piece: use `{{id}}`, `{{timestamp}}` and `{{body}}`"));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

impl Template {
    fn has(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }
}

/// The schemes of providers, by their names.
pub(crate) fn of_providers() -> Result<BTreeMap<String, Scheme>, Problems> {
    serde_json::from_str(include_str!("schemes.json"))
        .map_err(|error| Problems::one("provider", error.to_string(), "this is a defect of ours"))
}

/// What is wrong with a scheme that an operator wrote.
pub(crate) fn judge(scheme: &Scheme) -> Result<(), Problems> {
    let mut problems = Problems::new();
    if scheme.signatures.is_empty() {
        problems.add("scheme.signatures", "no kind of signature counts", "list at least one");
    }
    if !scheme.signed.has(&Piece::Body) {
        problems.add(
            "scheme.signed",
            "the body is not signed, so that anybody could replace it",
            "put `{body}` where the provider puts the body",
        );
    }
    if scheme.signed.has(&Piece::Timestamp) != scheme.timestamp.is_some() {
        problems.add(
            "scheme.timestamp",
            "a time counts if it is signed, and is signed if it is in `signed`",
            "give `timestamp` and put `{timestamp}` into `signed`, or neither",
        );
    }
    if scheme.signed.has(&Piece::Id) != scheme.id_header.is_some() {
        problems.add(
            "scheme.id-header",
            "an id counts if it is signed, and is signed if it is in `signed`",
            "give `id-header` and put `{id}` into `signed`, or neither",
        );
    }
    if let Some(timestamp) = &scheme.timestamp
        && timestamp.header.is_some() == timestamp.item.is_some()
    {
        problems.add(
            "scheme.timestamp",
            "the time is in a header or in an item of the signatures",
            "give one of `header` and `item`",
        );
    }
    for name in scheme.header_names() {
        if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let problem = format!("`{name}` is not a header name in lower case");
            problems.add("scheme", problem, "write header names in lower case");
        }
    }
    problems.or(())
}

impl Scheme {
    /// The headers it reads: that of the signatures, then those of the time
    /// and of the id where it has them.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        let timestamp = self.timestamp.as_ref().and_then(|it| it.header.as_deref());
        [Some(self.header.as_str()), timestamp, self.id_header.as_deref()].into_iter().flatten()
    }
}
