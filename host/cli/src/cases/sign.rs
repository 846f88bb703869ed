//! Signs the request of a case, as its sender would.

use super::format::{Key, KeyAlgorithm, Secret, Sign, SignatureEncoding};
use anyhow::{Context, Result, bail};
use barmkin_host::{Body, Head};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use std::collections::BTreeMap;

/// Adds the signature that `sign` describes to `head`.
pub(super) fn sign(
    sign: &Sign,
    keys: &BTreeMap<String, Key>,
    now: jiff::Timestamp,
    head: &mut Head,
    body: &Body,
) -> Result<()> {
    let key = keys.get(&sign.key).with_context(|| format!("`sign` names key `{}`, which is not declared", sign.key))?;
    let is_meant = |secret: &&Secret| sign.secret.as_ref().is_none_or(|id| *id == secret.id);
    let secret = key.secrets.iter().find(is_meant).with_context(|| format!("key `{}` has no such secret", sign.key))?;
    let body = match body {
        Body::Whole(bytes) => bytes.as_ref(),
        _ => &[],
    };
    let (now_s, now_ms) = (now.as_second().to_string(), now.as_millisecond().to_string());
    let times = [("now", now_s.as_bytes()), ("now-ms", now_ms.as_bytes())];
    let parts = [("body", body), ("method", head.method.as_str().as_bytes()), ("target", head.target.as_bytes())];
    let base = filled(sign.base.as_deref().unwrap_or("{body}"), parts.iter().chain(&times))?;
    let signature = signature(key.algorithm, &secret_bytes(secret)?, &base)?;
    let signature = match sign.encoding {
        SignatureEncoding::Hex => hex::encode(signature),
        SignatureEncoding::Base64 => BASE64_STANDARD.encode(signature),
        SignatureEncoding::Base64url => BASE64_URL_SAFE_NO_PAD.encode(signature),
    };
    let signature = [("signature", signature.as_bytes())];
    let value = filled(sign.value.as_deref().unwrap_or("{signature}"), signature.iter().chain(&times))?;
    crate::request::append(&mut head.headers, &sign.header, &value)
}

/// `template` with what stands in braces replaced.
fn filled<'p>(template: &str, parts: impl Iterator<Item = &'p (&'p str, &'p [u8])> + Clone) -> Result<Vec<u8>> {
    let (mut filled, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').with_context(|| format!("`{template}` has `{{` without `}}`"))?;
        let Some((_, part)) = parts.clone().find(|(known, _)| *known == name) else {
            let known: Vec<_> = parts.map(|(name, _)| format!("`{{{name}}}`")).collect();
            bail!("`{template}` has `{{{name}}}`, but there are {}", known.join(", "));
        };
        filled.extend_from_slice(before.as_bytes());
        filled.extend_from_slice(part);
        rest = after;
    }
    filled.extend_from_slice(rest.as_bytes());
    Ok(filled)
}

fn signature(algorithm: KeyAlgorithm, secret: &[u8], base: &[u8]) -> Result<Vec<u8>> {
    match algorithm {
        KeyAlgorithm::HmacSha1 => mac::<Hmac<sha1::Sha1>>(secret, base),
        KeyAlgorithm::HmacSha256 => mac::<Hmac<sha2::Sha256>>(secret, base),
        KeyAlgorithm::HmacSha512 => mac::<Hmac<sha2::Sha512>>(secret, base),
        KeyAlgorithm::Ed25519 => Ok(private_key(secret)?.sign(base).to_bytes().to_vec()),
        KeyAlgorithm::KeyedHashSha256 => bail!("a key for keyed hashes signs nothing"),
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], base: &[u8]) -> Result<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(secret).context("the secret cannot be used")?;
    Ok(mac.chain_update(base).finalize().into_bytes().to_vec())
}

/// The bytes that verify what `secret` signs.
pub(super) fn verifying_bytes(algorithm: KeyAlgorithm, secret: &Secret) -> Result<Vec<u8>> {
    let bytes = secret_bytes(secret)?;
    match algorithm {
        KeyAlgorithm::Ed25519 => Ok(private_key(&bytes)?.verifying_key().to_bytes().to_vec()),
        _ => Ok(bytes),
    }
}

fn private_key(secret: &[u8]) -> Result<SigningKey> {
    let bytes = secret.try_into().ok().context("a private key for ed25519 has 32 bytes")?;
    Ok(SigningKey::from_bytes(bytes))
}

fn secret_bytes(secret: &Secret) -> Result<Vec<u8>> {
    let id = &secret.id;
    match (&secret.text, &secret.hex, &secret.base64) {
        (Some(text), None, None) => Ok(text.as_bytes().to_vec()),
        (None, Some(digits), None) => hex::decode(digits).with_context(|| format!("secret `{id}` is not hexadecimal")),
        (None, None, Some(text)) => {
            BASE64_STANDARD.decode(text).with_context(|| format!("secret `{id}` is not base64"))
        }
        _ => bail!("secret `{id}` needs one of `text`, `hex` and `base64`"),
    }
}
