//! Nonce spaces: when two deliveries are one, and when one is used.

use super::Keep;
use crate::request::Sees;
use http::{HeaderName, StatusCode};
use std::time::Duration;

/// Where nonces are claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceSpace {
    /// How long a nonce is remembered, whatever a policy asks for. A claim that
    /// would have to be remembered longer is refused, and not shortened.
    pub retain: Duration,
    /// The most live nonces; `None` for an equal part of what the spaces that
    /// say a number leave of the store's room.
    pub entries_max: Option<usize>,
    /// Which deliveries count as the same.
    pub same_delivery: SameDelivery,
    /// Fields that were not signed and tell apart deliveries which are the same
    /// otherwise.
    pub tell_apart: Vec<TellApart>,
    /// The treatment of a repeated delivery. By default it is acknowledged
    /// where it is known that the upstream took the first, and denied elsewhere.
    pub on_duplicate: Option<OnDuplicate>,
    /// When a claim stays. By default a delivery stays `OnSuccess` where
    /// responses are seen and `OnAllow` elsewhere, and what a policy claims by
    /// itself stays `Always`.
    pub keep: Option<Keep>,
    /// The answers of the upstream by which a delivery stays with `OnSuccess`.
    pub success: SuccessStatuses,
}

impl NonceSpace {
    /// When a delivery stays, for an adapter that sees as much as `sees` says.
    pub fn delivery_keep(&self, sees: Sees) -> Keep {
        match (self.keep, sees) {
            (None | Some(Keep::OnSuccess), Sees::Response) => Keep::OnSuccess,
            (None | Some(Keep::OnSuccess), Sees::Nothing | Sees::Sent) => Keep::OnAllow,
            (Some(keep), _) => keep,
        }
    }

    /// When a nonce stays that a policy claims by itself: a proof, a token, a
    /// code.
    pub fn nonce_keep(&self) -> Keep {
        self.keep.unwrap_or(Keep::Always)
    }

    /// The treatment of a repeated delivery that comes through such an adapter.
    pub fn duplicate(&self, sees: Sees) -> OnDuplicate {
        self.on_duplicate.unwrap_or(match self.delivery_keep(sees) {
            Keep::OnSuccess => OnDuplicate::Acknowledge,
            Keep::OnAllow | Keep::Always => OnDuplicate::Deny,
        })
    }
}

/// The statuses of the upstream besides 2xx that say that it took a delivery. A
/// delivery that it answers with 5xx may come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuccessStatuses {
    /// 3xx.
    pub redirects: bool,
    /// 4xx.
    pub client_errors: bool,
}

impl SuccessStatuses {
    /// Whether `status` is among them.
    pub fn holds(self, status: StatusCode) -> bool {
        match status.as_u16() {
            100..=299 => true,
            300..=399 => self.redirects,
            400..=499 => self.client_errors,
            _ => false,
        }
    }
}

/// A field that was not signed, but still tells deliveries apart. Anyone who has a
/// delivery can send it once with each of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellApart {
    /// The field.
    pub field: HeaderName,
    /// The values that it may have; a delivery with another is refused.
    pub values: Vec<String>,
}

impl Default for NonceSpace {
    fn default() -> Self {
        Self {
            retain: Duration::from_secs(24 * 60 * 60),
            entries_max: None,
            same_delivery: SameDelivery::default(),
            tell_apart: Vec::new(),
            on_duplicate: None,
            keep: None,
            success: SuccessStatuses::default(),
        }
    }
}

/// Which deliveries count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameDelivery {
    /// Everything that was signed: the digest of the signature base. Unlike
    /// the signature's own text, it is the same whichever of several secrets
    /// signed.
    #[default]
    Signature,
    /// The verified message id: a sender that signs again to repeat is caught.
    MessageId,
}

/// The answer to a repeated delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDuplicate {
    /// A deny.
    #[default]
    Deny,
    /// 2xx, and it is not forwarded.
    Acknowledge,
    /// It is forwarded with a mark.
    Mark,
}
