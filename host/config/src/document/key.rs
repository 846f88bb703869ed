use crate::units::{InstantUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// A key, and its secrets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Key {
    /// The only algorithm that it is for.
    pub(crate) algorithm: KeyAlgorithm,
    /// How its secrets are written.
    #[serde(default)]
    pub(crate) encoding: Encoding,
    /// The newest first; all that are in force verify.
    #[schemars(length(min = 1))]
    pub(crate) secrets: Vec<Secret>,
}

/// The algorithm that a key is for.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyAlgorithm {
    /// RFC 2104 with SHA-1.
    HmacSha1,
    /// RFC 2104 with SHA-256.
    HmacSha256,
    /// RFC 2104 with SHA-512.
    HmacSha512,
    /// RFC 8032; the secret is the public key.
    Ed25519,
    /// For looking up credentials of which only hashes are kept: the pepper.
    KeyedHashSha256,
}

/// How secrets are written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// As they are.
    #[default]
    Utf8,
    /// Two digits a byte.
    Hex,
    /// RFC 4648, either alphabet, with or without padding.
    Base64,
    /// As Standard Webhooks has them: `whsec_`, or `whpk_` for a public key,
    /// and base64.
    Whsec,
}

/// One secret of a key.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Secret {
    /// Names it in logs and facts.
    pub(crate) id: String,
    /// `file:` and a path relative to this file, or `env:` and a variable.
    #[schemars(regex(pattern = "^(file|env):."))]
    pub(crate) from: String,
    /// When it ends to verify, by RFC 3339.
    pub(crate) until: Option<Text<InstantUnit>>,
}
