//! The identity of a delivery.

use crate::generation::spec::{NonceSpace, SameDelivery, TellApart};
use crate::pieces::Breaks;
use crate::policy::session::Session;
use http::HeaderMap;
use sha2::{Digest, Sha256};

/// A delivery, as it is claimed.
pub(super) struct Identity {
    pub(super) digest: [u8; 32],
    /// As release 0.1.0 claimed it: without key and sender, so that equal bytes
    /// of two of them were one delivery.
    pub(super) former: [u8; 32],
}

/// Identifies a delivery by its sender, the key, and what was signed or its
/// message id, as `space` says. `None` if nothing of it was verified, or a field
/// has a value that it may not have.
///
/// Neither the id of the secret nor the signature's own text is part of it, so a
/// rotation does not make it another delivery.
pub(super) async fn of_delivery(session: &Session, space: &NonceSpace, breaks: Breaks) -> Option<Identity> {
    let established = &session.established;
    let sender = established.principal.as_deref();
    let key = established.signed.as_deref().map(|signed| signed.key());
    let tenant = sender.and_then(|sender| sender.tenant.as_deref());
    let of = (key, tenant, sender.map(|sender| &*sender.id));
    let (mut digest, former) = match space.same_delivery {
        SameDelivery::Signature => {
            let body = session.subject.body().map(|body| &**body);
            let signed = established.signed.as_ref()?;
            let former = signed.digest(body, breaks).await?;
            let mut digest = row(b's', of, None);
            digest.update(former);
            signed.add_lengths(body, &mut digest);
            (digest, former)
        }
        SameDelivery::MessageId => {
            // Ids are unique within their sender only.
            let (sender, id) = (sender?, established.facts.as_ref()?.message_id.as_deref()?);
            (row(b'm', of, Some(id)), former_of_id(tenant.unwrap_or_default(), &sender.id, id))
        }
    };
    for TellApart { field, values } in &space.tell_apart {
        digest.update(position(&session.subject.request.head.headers, field, values)?.to_be_bytes());
    }
    Some(Identity { digest: digest.finalize().into(), former })
}

/// A digest of the key, the tenant, the sender and the id, behind their lengths: no
/// two rows have the same. It is short, since every delivery is hashed so, and
/// begins with what keeps it apart from every other digest here.
fn row(kind: u8, (key, tenant, sender): (Option<&str>, Option<&str>, Option<&str>), id: Option<&str>) -> Sha256 {
    // No text is as long as the length that stands for none.
    let length = |text: Option<&str>| match text {
        Some(text) => u32::try_from(text.len()).unwrap_or(u32::MAX - 1).to_be_bytes(),
        None => u32::MAX.to_be_bytes(),
    };
    let texts = [key, tenant, sender, id];
    let mut header = [0; 20];
    header[..4].copy_from_slice(&[b'd', b'2', kind, 0]);
    let (_, lengths) = header.split_at_mut(4);
    lengths.copy_from_slice(texts.map(length).as_flattened());
    texts.into_iter().flatten().fold(Sha256::new().chain_update(header), |digest, text| digest.chain_update(text))
}

/// Which of its values a field has; 0 where it is absent.
fn position(fields: &HeaderMap, field: &http::HeaderName, values: &[String]) -> Option<u64> {
    let mut present = fields.get_all(field).iter();
    let Some(value) = present.next() else { return Some(0) };
    let position = values.iter().position(|listed| listed.as_bytes() == value.as_bytes())?;
    present.next().is_none().then_some(position as u64 + 1)
}

fn former_of_id(tenant: &str, sender: &str, id: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    for text in ["message-id", tenant, sender, id] {
        digest.update(text);
        digest.update(b"\0");
    }
    digest.finalize().into()
}
