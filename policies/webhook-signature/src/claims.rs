//! The claims of a request, and how they are verified.

use std::borrow::Cow;

use barmkin_guest::prelude::*;
use barmkin_guest::types;

use crate::canonical::canonical;
use crate::fields::Fields;
use crate::reason::{
    AMBIGUOUS_TIMESTAMP, MALFORMED_SIGNATURE, MESSAGE_ID_TOO_LONG, MISSING_MESSAGE_ID, MISSING_SIGNATURE,
    MISSING_TIMESTAMP, NO_USABLE_KEY, Reason, Refusal as Refused, SIGNATURE_MISMATCH,
};
use crate::scheme::{Scheme, Timestamp};
use crate::template::Piece;
use crate::timestamp::fresh_unix_ms;

/// Senders that rotate secrets send two or three signatures. Each Ed25519
/// signature costs the host some 50 us of work, from any sender.
const SIGNATURES_MAX: usize = 16;

/// Bytes of a message id that the host takes as a fact. Providers send some
/// tens.
const MESSAGE_ID_BYTES_MAX: usize = 1_024;

/// RFC 9110, section 5.6.3: what may stand around the items of a list (section
/// 5.6.1).
const OPTIONAL_WHITESPACE: [char; 2] = [' ', '\t'];

/// The statements of a request about itself, before any of them is verified.
pub(crate) struct Claims<'a> {
    signatures: &'a str,
    /// As it is written, since that is what is signed, and as it is meant.
    pub(crate) timestamp: Option<(&'a str, u64)>,
    pub(crate) id: Option<&'a str>,
}

impl<'a> Claims<'a> {
    /// Reads the headers, and refuses a time that is not fresh: that is cheaper
    /// to find out than a wrong signature.
    pub(crate) fn read(scheme: &Scheme, headers: NamedHeaders<'a>, now: Now) -> Result<Self, Refused> {
        let fields = Fields::read(scheme, headers)?;
        let signatures = fields.signatures.ok_or(Reason::Missing(MISSING_SIGNATURE))?;
        let timestamp = match &scheme.timestamp {
            None => None,
            Some(timestamp) => {
                let text = match &timestamp.item {
                    Some(prefix) => only_item(scheme, signatures, prefix)?,
                    None => fields.timestamp.ok_or(Reason::Missing(MISSING_TIMESTAMP))?,
                };
                Some((timestamp, text))
            }
        };
        let id = match &scheme.id_header {
            None => None,
            Some(_) => Some(fields.id.ok_or(Reason::Missing(MISSING_MESSAGE_ID))?),
        };
        if id.is_some_and(|id| id.len() > MESSAGE_ID_BYTES_MAX) {
            return Err(Reason::Unacceptable(MESSAGE_ID_TOO_LONG).into());
        }
        let fresh = |(timestamp, text): (&Timestamp, &'a str)| {
            fresh_unix_ms(timestamp, text, now.unix_ms()).map(|unix_ms| (text, unix_ms))
        };
        Ok(Self { signatures, timestamp: timestamp.map(fresh).transpose()?, id })
    }

    pub(crate) fn verify(&self, scheme: &Scheme, key: ConfiguredKey<'_>) -> Result<Verified, Refused> {
        let signatures: Vec<_> = signatures(scheme, self.signatures).collect();
        if signatures.is_empty() || signatures.len() > SIGNATURES_MAX {
            let detail =
                format!("{} signatures that the scheme counts, where 1 to {SIGNATURES_MAX} are read", signatures.len());
            return Err(Reason::Wrong(MALFORMED_SIGNATURE).because(detail));
        }
        let candidates: Vec<_> = signatures.iter().map(Signature::candidate).collect();
        key.verify(&self.signed(scheme), &candidates).map_err(|refusal| {
            // The host says in the log what it compared with what.
            match refusal {
                Refusal::Mismatch => Reason::Wrong(SIGNATURE_MISMATCH),
                Refusal::NoCandidate => Reason::Wrong(MALFORMED_SIGNATURE),
                Refusal::NoUsableKey => Reason::Unavailable(NO_USABLE_KEY),
            }
            .into()
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

/// A signature that counts, in canonical form.
struct Signature<'a> {
    algorithm: types::Algorithm,
    encoding: types::Encoding,
    text: Cow<'a, str>,
}

impl Signature<'_> {
    fn candidate(&self) -> Candidate<'_> {
        Candidate { algorithm: self.algorithm, encoding: self.encoding, text: &self.text }
    }
}

/// The signatures that count. One without text is none.
fn signatures<'a>(scheme: &'a Scheme, header: &'a str) -> impl Iterator<Item = Signature<'a>> {
    items(scheme, header).filter_map(|item| {
        scheme.signatures.iter().find_map(|kind| {
            let text = after(&kind.prefix, item).filter(|text| !text.is_empty())?;
            let (algorithm, encoding) = (kind.algorithm.into(), kind.encoding.into());
            Some(Signature { algorithm, encoding, text: canonical(kind.encoding, text) })
        })
    })
}

/// The one item with this prefix: of two, one could be checked and the other
/// signed.
fn only_item<'a>(scheme: &Scheme, header: &'a str, prefix: &str) -> Result<&'a str, Reason> {
    let mut found = items(scheme, header).filter_map(|item| after(prefix, item));
    match (found.next(), found.next()) {
        (None | Some(""), None) => Err(Reason::Missing(MISSING_TIMESTAMP)),
        (Some(text), None) => Ok(text),
        (_, Some(_)) => Err(Reason::Wrong(AMBIGUOUS_TIMESTAMP)),
    }
}

/// The items of a header, without the whitespace around them.
fn items<'a>(scheme: &Scheme, header: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
    let separator = scheme.separator;
    let items = header.split(move |character| Some(character) == separator);
    items.map(|item| item.trim_matches(OPTIONAL_WHITESPACE))
}

/// The rest of an item that begins with `prefix`. A scheme may have put the space
/// after a comma into the prefix.
fn after<'a>(prefix: &str, item: &'a str) -> Option<&'a str> {
    item.strip_prefix(prefix.trim_start_matches(OPTIONAL_WHITESPACE))
}
