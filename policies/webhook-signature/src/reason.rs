//! Why a delivery is refused, and with which status.

use barmkin_guest::prelude::*;
use serde::Deserialize;

/// A reason as the client learns it.
pub(crate) type Code = barmkin_guest::Reason;

reasons! {
    /// No signature came, or not under the names that the scheme has. `statuses.missing`
    /// says with which status it is refused.
    MISSING_SIGNATURE = 403 "missing-signature";
    /// The signing time, which the scheme signs, is not there. Its status is
    /// `statuses.missing`.
    MISSING_TIMESTAMP = 403 "missing-timestamp";
    /// The message id, which the scheme signs, is not there. Its status is
    /// `statuses.missing`.
    MISSING_MESSAGE_ID = 403 "missing-message-id";
    /// None of the signatures fits the body and any secret in force: another secret, or
    /// a body that was changed on its way. Its status is `statuses.wrong`.
    SIGNATURE_MISMATCH = 403 "signature-mismatch";
    /// Nothing that came is a signature of this scheme, or there are more than 16. Its
    /// status is `statuses.wrong`.
    MALFORMED_SIGNATURE = 403 "malformed-signature";
    /// The signing time is not written as the scheme has it. Its status is
    /// `statuses.wrong`.
    MALFORMED_TIMESTAMP = 403 "malformed-timestamp";
    /// There are two signing times. Its status is `statuses.wrong`.
    AMBIGUOUS_TIMESTAMP = 403 "ambiguous-timestamp";
    /// It was signed longer ago than `tolerance`. Its status is `statuses.stale`.
    TIMESTAMP_TOO_OLD = 403 "timestamp-too-old";
    /// It was signed further in the future than `tolerance`: clocks differ. Its status is
    /// `statuses.stale`.
    TIMESTAMP_TOO_NEW = 403 "timestamp-too-new";
    /// A header came under two names with different values.
    CONFLICTING_HEADERS = 400 "conflicting-headers";
    /// The message id has more than 1,024 bytes.
    MESSAGE_ID_TOO_LONG = 400 "message-id-too-long";
    /// The key has no secret in force: the operator must act, and the sender tries again.
    NO_USABLE_KEY = 503 "no-usable-key";
}

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

/// The statuses with which a scheme refuses, each one of 400, 401, 403, 404 and 422.
/// They default to 403.
///
/// Some providers probe an endpoint with wrong signatures, and only use it if
/// it answers with the status they want:
/// - Xero wants 401
///   (<https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/>),
/// - Discord wants 401
///   (<https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint-validating-security-request-headers>).
#[derive(Clone, Copy, Debug, Default, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Statuses {
    /// For a delivery without a signature, time or id.
    #[serde(default)]
    missing: Option<u16>,
    /// For one that does not verify.
    #[serde(default)]
    wrong: Option<u16>,
    /// For one whose time is too far from now.
    #[serde(default)]
    stale: Option<u16>,
}

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
        let (code, status) = match refusal.reason {
            Reason::Missing(code) => (code, self.missing),
            Reason::Wrong(code) => (code, self.wrong),
            Reason::Stale(code) => (code, self.stale),
            Reason::Unacceptable(code) | Reason::Unavailable(code) => (code, None),
        };
        let status = status.unwrap_or(code.status());
        let denied = deny(status, code.code()).detail(refusal.detail);
        match status {
            401 => denied.header("www-authenticate", CHALLENGE),
            STATUS_UNAVAILABLE => denied.header("retry-after", RETRY_AFTER_S),
            _ => denied,
        }
    }
}
