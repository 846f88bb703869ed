//! What makes two deliveries the same one.

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

/// Tells a delivery by who sent it, under which key, and by what was signed or
/// its message id, as `space` says. `None` where nothing of it was verified, or a
/// field has another value than it may have.
///
/// Neither the id of the secret nor the signature's own text is part of it: a
/// rotation makes no other delivery of it.
pub(super) async fn of_delivery(session: &Session, space: &NonceSpace, breaks: Breaks) -> Option<Identity> {
    let established = &session.established;
    let sender = established.principal.as_deref();
    let key = established.signed.as_deref().map(|signed| signed.key());
    let mut digest = Counted::new(space.same_delivery);
    for text in [key, sender.and_then(|sender| sender.tenant.as_deref()), sender.map(|sender| &*sender.id)] {
        digest.optional(text);
    }
    let former = match space.same_delivery {
        SameDelivery::Signature => {
            let body = session.subject.body().map(|body| &**body);
            let signed = established.signed.as_ref()?;
            let former = signed.digest(body, breaks).await?;
            digest.0.update(former);
            digest.number(signed.part_count());
            signed.lengths(body).for_each(|length| digest.number(length));
            former
        }
        SameDelivery::MessageId => {
            // Ids are unique within their sender only.
            let (sender, id) = (sender?, established.facts.as_ref()?.message_id.as_deref()?);
            digest.text(id);
            former_of_id(sender.tenant.as_deref().unwrap_or_default(), &sender.id, id)
        }
    };
    for TellApart { field, values } in &space.tell_apart {
        digest.number(position(&session.subject.request.head.headers, field, values)?);
    }
    Some(Identity { digest: digest.finish(), former })
}

/// Which of its values a field has; 0 where it is absent.
fn position(fields: &HeaderMap, field: &http::HeaderName, values: &[String]) -> Option<usize> {
    let mut present = fields.get_all(field).iter();
    let Some(value) = present.next() else { return Some(0) };
    let position = values.iter().position(|listed| listed.as_bytes() == value.as_bytes())?;
    present.next().is_none().then_some(position + 1)
}

fn former_of_id(tenant: &str, sender: &str, id: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    for text in ["message-id", tenant, sender, id] {
        digest.update(text);
        digest.update(b"\0");
    }
    digest.finalize().into()
}

/// A digest in which each text stands behind its length: no two rows of them have
/// the same. It is short, since every delivery is hashed so: two blocks of SHA-256
/// for names as long as they mostly are.
struct Counted(Sha256);

impl Counted {
    fn new(same: SameDelivery) -> Self {
        let kind: &[u8] = match same {
            SameDelivery::Signature => b"delivery 2 by signature",
            SameDelivery::MessageId => b"delivery 2 by message-id",
        };
        Self(Sha256::new().chain_update(kind))
    }

    /// Texts are as short as fields are: none has the length that stands for none.
    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.update(u32::MAX.to_be_bytes()),
        }
    }

    fn text(&mut self, text: &str) {
        self.0.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.update(text);
    }

    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_be_bytes());
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
