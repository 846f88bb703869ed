//! Keys as vectors state them.

use anyhow::{Context, Result, bail};
use barmkin_host::{Algorithm, Key};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

/// Base64 as secrets are handed out and copied: with padding or without, or
/// cut off in the middle of a byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A secret of a case.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Secret {
    kind: String,
    value: String,
    encoding: Option<String>,
    id: Option<String>,
}

/// The key that `secrets` make. One that is empty is left out, as no host
/// takes it: signing with the empty key is something anybody can do.
pub(super) fn key(secrets: &[Secret]) -> Result<Key> {
    let algorithm = match secrets.first().map(|secret| secret.kind.as_str()) {
        None | Some("hmac") => Algorithm::HmacSha256,
        Some("ed25519") => Algorithm::Ed25519,
        Some(kind) => bail!("keys of the kind `{kind}` are not known here"),
    };
    let mut key = Key::new(algorithm);
    for (index, secret) in secrets.iter().enumerate() {
        let bytes = secret.bytes().with_context(|| format!("secret {index} cannot be decoded"))?;
        if !bytes.is_empty() {
            let id = secret.id.clone().unwrap_or_else(|| index.to_string());
            key = key.with_secret(&id, &bytes, None)?;
        }
    }
    Ok(key)
}

impl Secret {
    fn bytes(&self) -> Result<Vec<u8>> {
        let value = self.value.as_str();
        match (self.kind.as_str(), self.encoding.as_deref()) {
            // Discord hands its key out in hex.
            ("ed25519", None) if value.len() == 64 => Ok(hex::decode(value)?),
            ("ed25519", _) => Ok(BASE64.decode(value.strip_prefix("whpk_").unwrap_or(value))?),
            (_, None | Some("utf8")) => Ok(value.into()),
            (_, Some("hex")) => Ok(hex::decode(value)?),
            (_, Some("whsec")) => Ok(BASE64.decode(value.strip_prefix("whsec_").unwrap_or(value))?),
            (_, Some(encoding)) => bail!("the encoding `{encoding}` is not known here"),
        }
    }
}
