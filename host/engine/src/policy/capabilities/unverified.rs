//! The operator's side of a signature that nothing verified: what was compared
//! with what.

use crate::keys::{Key, Refusal};
use crate::pieces::PIECE_BYTES;
use crate::policy::sandbox::Granted;
use crate::policy::session::Subject;
use http::header::CONTENT_ENCODING;
use std::fmt::Write;
use std::hash::BuildHasher;

/// A sentence for the log. It has the ids of the secrets, and the body's length
/// and a digest under a key that nobody has, which tells equal bodies from others
/// until the next reload.
pub(super) fn describe(
    refusal: Refusal,
    (name, key): (&str, &Key),
    candidates: usize,
    granted: &Granted,
    subject: &Subject,
) -> Box<str> {
    let mut text = match refusal {
        Refusal::NoUsableKey => return format!("no secret of key `{name}` is in force").into(),
        Refusal::NoCandidate => {
            return format!("none of {candidates} signatures is one of {}, as key `{name}` is for", key.algorithm())
                .into();
        }
        Refusal::Mismatch => {
            let ids: Vec<_> = key.ids_in_force(subject.now).map(|id| format!("`{id}`")).collect();
            format!("compared {candidates} under secrets {} of key `{name}`", ids.join(", "))
        }
    };
    if let Some(body) = subject.body().filter(|_| granted.body) {
        // To hash a large body once more would cost as much as to verify it.
        let digest = granted.body_tags.hash_one(body.get(..PIECE_BYTES).unwrap_or(body));
        let whole = if body.len() > PIECE_BYTES { " of the first MiB" } else { "" };
        let _ = write!(text, "; the body has {} bytes, digest{whole} {digest:016x}", body.len());
    }
    for encoding in subject.request.head.headers.get_all(CONTENT_ENCODING) {
        let _ = write!(text, ", content-encoding `{}`", String::from_utf8_lossy(encoding.as_bytes()));
    }
    text.into()
}
