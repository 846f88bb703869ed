//! The one way through all schemes.

use barmkin_guest::prelude::*;
use barmkin_guest::types::{Cardinality, KeyNeed};

use crate::scheme::{Piece, Scheme, Timestamp};
use crate::timestamp::{Code, fresh_unix_ms};

/// The policy's name for the key.
const KEY: &str = "signing";

/// Senders that rotate secrets send two or three signatures. Each Ed25519
/// signature costs the host some 50 us of work, whoever sends it.
const SIGNATURES_MAX: usize = 16;

/// Verifies signatures by one scheme.
pub struct WebhookSignature {
    pub(crate) scheme: Scheme,
    /// The id of the principal.
    pub(crate) principal: String,
}

impl NamesHeaders for WebhookSignature {
    fn header_names(&self) -> impl Iterator<Item = (&str, Cardinality)> {
        self.scheme.header_names().map(|name| (name, Cardinality::AtMostOne))
    }
}

impl ConfiguresKey for WebhookSignature {
    fn key_need(&self) -> KeyNeed {
        let algorithms = self.scheme.signatures.iter().map(|kind| kind.algorithm.into()).collect();
        KeyNeed { name: KEY.to_owned(), algorithms }
    }
}

impl Rule for WebhookSignature {
    type Input<'a> = (Now, NamedHeaders<'a>, BodyOnHost, ConfiguredKey<'a>);

    fn check(&self, (now, headers, _, key): Self::Input<'_>) -> Decision {
        let verified =
            Claims::read(&self.scheme, headers, now).and_then(|claims| Ok((claims.verify(&self.scheme, key)?, claims)));
        match verified {
            Ok((signature, claims)) => self.accept(&claims, signature, now),
            Err(code) => deny(403, code),
        }
    }

    fn vouches(&self) -> bool {
        true
    }
}

impl WebhookSignature {
    fn accept(&self, claims: &Claims<'_>, signature: Verified, now: Now) -> Decision {
        let mut principal = Principal::provider(&self.principal).by("webhook-signature");
        principal.authenticated_at_unix_ms = Some(now.unix_ms());
        allow(principal).facts(Facts {
            message_id: claims.id.map(str::to_owned),
            signed_at_unix_ms: claims.timestamp.map(|(_, unix_ms)| unix_ms),
            key_id: Some(signature.key_id),
        })
    }
}

/// What a request says of itself, before any of it is verified.
struct Claims<'a> {
    signatures: &'a str,
    /// As it is written, since that is what is signed, and as it is meant.
    timestamp: Option<(&'a str, u64)>,
    id: Option<&'a str>,
}

impl<'a> Claims<'a> {
    /// Reads the headers, and refuses a time that is not fresh: that is cheaper
    /// to find out than a wrong signature.
    fn read(scheme: &Scheme, headers: NamedHeaders<'a>, now: Now) -> Result<Self, Code> {
        let mut index = 0..;
        let mut next = || {
            let value = index.next().and_then(|index| headers.get(index));
            value.filter(|value| !value.is_empty())
        };
        let signatures = next().ok_or("missing-signature")?;
        let timestamp = match &scheme.timestamp {
            None => None,
            Some(timestamp) => {
                let text = match &timestamp.item {
                    Some(prefix) => only_item(scheme, signatures, prefix)?,
                    None => next().ok_or("missing-timestamp")?,
                };
                Some((timestamp, text))
            }
        };
        let id = match &scheme.id_header {
            None => None,
            Some(_) => Some(next().ok_or("missing-message-id")?),
        };
        let fresh = |(timestamp, text): (&Timestamp, &'a str)| {
            fresh_unix_ms(timestamp, text, now.unix_ms()).map(|unix_ms| (text, unix_ms))
        };
        Ok(Self { signatures, timestamp: timestamp.map(fresh).transpose()?, id })
    }

    fn verify(&self, scheme: &Scheme, key: ConfiguredKey<'_>) -> Result<Verified, Code> {
        let candidates: Vec<_> = candidates(scheme, self.signatures).collect();
        if candidates.is_empty() || candidates.len() > SIGNATURES_MAX {
            return Err("malformed-signature");
        }
        key.verify(&self.signed(scheme), &candidates).map_err(|refusal| match refusal {
            Refusal::Mismatch => "signature-mismatch",
            Refusal::NoCandidate => "malformed-signature",
            Refusal::NoUsableKey => "no-usable-key",
        })
    }

    fn signed<'s>(&'s self, scheme: &'s Scheme) -> Vec<Part<'s>> {
        let bytes = |text: &'s str| Part::Bytes(text.as_bytes());
        let pieces = scheme.signed.0.iter();
        pieces
            .map(|piece| match piece {
                Piece::Text(text) => bytes(text),
                Piece::Id => bytes(self.id.unwrap_or_default()),
                Piece::Timestamp => bytes(self.timestamp.map(|(text, _)| text).unwrap_or_default()),
                Piece::Body => Part::Body,
            })
            .collect()
    }
}

/// The signatures that count. One without text is none.
fn candidates<'a>(scheme: &'a Scheme, header: &'a str) -> impl Iterator<Item = Candidate<'a>> {
    items(scheme, header).filter_map(|item| {
        scheme.signatures.iter().find_map(|kind| {
            let text = item.strip_prefix(kind.prefix.as_str()).filter(|text| !text.is_empty())?;
            let (algorithm, encoding) = (kind.algorithm.into(), kind.encoding.into());
            Some(Candidate { algorithm, encoding, text })
        })
    })
}

/// The one item with this prefix: of two, one could be checked and the other
/// signed.
fn only_item<'a>(scheme: &Scheme, header: &'a str, prefix: &str) -> Result<&'a str, Code> {
    let mut found = items(scheme, header).filter_map(|item| item.strip_prefix(prefix));
    match (found.next(), found.next()) {
        (None | Some(""), None) => Err("missing-timestamp"),
        (Some(text), None) => Ok(text),
        (_, Some(_)) => Err("ambiguous-timestamp"),
    }
}

fn items<'a>(scheme: &Scheme, header: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
    let separator = scheme.separator;
    header.split(move |character| Some(character) == separator)
}
