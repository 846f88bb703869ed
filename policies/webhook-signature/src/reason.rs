//! Why a delivery is refused, and with which status.

use barmkin_guest::prelude::*;
use serde::Deserialize;

/// A reason as the client learns it.
pub(crate) type Code = &'static str;

/// Why a delivery is refused. The kind decides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A header that the scheme needs is not there.
    Missing(Code),
    /// It is there, but nothing was verified by it.
    Wrong(Code),
    /// The signing time is too far from now.
    Stale(Code),
    /// The request breaks a rule that no sender of any scheme breaks. Its
    /// status is not a setting.
    Unacceptable(Code),
    /// Nothing is wrong with the request: it may pass when the operator has done
    /// something. Its status is not a setting.
    Unavailable(Code),
}

/// A reason, with what the operator's log says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// Empty where the reason says it all.
    pub(crate) detail: String,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        reason.because("")
    }
}

impl Reason {
    pub(crate) fn because(self, detail: impl Into<String>) -> Refusal {
        Refusal { reason: self, detail: detail.into() }
    }
}

/// The statuses with which a scheme refuses, where they are not
/// [`STATUS_DEFAULT`].
///
/// Some providers probe an endpoint with wrong signatures, and only use it if
/// it answers with the status they want:
/// - Xero wants 401
///   (<https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/>),
/// - Discord wants 401
///   (<https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint-validating-security-request-headers>).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Statuses {
    #[serde(default)]
    missing: Option<u16>,
    #[serde(default)]
    wrong: Option<u16>,
    #[serde(default)]
    stale: Option<u16>,
}

const STATUS_DEFAULT: u16 = 403;
const STATUS_UNACCEPTABLE: u16 = 400;

/// RFC 9110, section 15.6.4: it is the operator who must act, and the sender
/// tries again.
const STATUS_UNAVAILABLE: u16 = 503;

/// An operator does not act within seconds.
const RETRY_AFTER_S: &str = "30";

/// The statuses that can be set. Each says that this delivery was refused, and
/// nothing else: others of 4xx ask the sender for something (407, 411, 429), to
/// try again (408, 425), or to give up the endpoint (410, which Standard
/// Webhooks, among others, takes as the wish to be disabled).
const STATUSES: [u16; 5] = [400, 401, 403, 404, 422];

/// RFC 9110, section 15.5.2: a 401 must carry a challenge. The scheme is not a
/// registered one, and senders of webhooks do not answer it.
const CHALLENGE: &str = "Signature";

impl Statuses {
    /// These, and those of `other` for what they leave open.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            missing: self.missing.or(other.missing),
            wrong: self.wrong.or(other.wrong),
            stale: self.stale.or(other.stale),
        }
    }

    /// Adds what is wrong with them; `place` is where they are set.
    pub(crate) fn judge(self, place: &str, problems: &mut Problems) {
        for (name, status) in [("missing", self.missing), ("wrong", self.wrong), ("stale", self.stale)] {
            if let Some(status) = status.filter(|status| !STATUSES.contains(status)) {
                problems.add(
                    &format!("{place}.{name}"),
                    format!("`{status}` is not a status with which a delivery can be refused"),
                    "use one of 400, 401, 403, 404 and 422",
                );
            }
        }
    }

    /// The answer to a refused delivery.
    pub(crate) fn deny(self, refusal: Refusal) -> Decision {
        let (status, code) = match refusal.reason {
            Reason::Missing(code) => (self.missing.unwrap_or(STATUS_DEFAULT), code),
            Reason::Wrong(code) => (self.wrong.unwrap_or(STATUS_DEFAULT), code),
            Reason::Stale(code) => (self.stale.unwrap_or(STATUS_DEFAULT), code),
            Reason::Unacceptable(code) => (STATUS_UNACCEPTABLE, code),
            Reason::Unavailable(code) => (STATUS_UNAVAILABLE, code),
        };
        let denied = deny(status, code).detail(refusal.detail);
        match status {
            401 => denied.header("www-authenticate", CHALLENGE),
            STATUS_UNAVAILABLE => denied.header("retry-after", RETRY_AFTER_S),
            _ => denied,
        }
    }
}
