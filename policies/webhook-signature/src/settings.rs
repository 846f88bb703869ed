use barmkin_guest::prelude::*;
use barmkin_guest::settings::Duration;

use crate::judge::judge;
use crate::reason::{REASONS, Statuses};
use crate::rule::WebhookSignature;
use crate::scheme::{self, Scheme};

/// Bytes of a principal's id that the host takes.
const PRINCIPAL_BYTES_MAX: usize = 256;

/// Lets signed webhooks in, and names their sender. The key stays on the host, which
/// verifies with it: it is granted as `signing`, with the algorithm of the scheme.
///
/// Either `provider` is given, or `scheme`, in which the sender's way of signing is
/// described: the header with the signatures, what they begin with, how they are
/// written, and the text that they cover.
#[policy(rule = WebhookSignature, reasons = REASONS, example = "../example.toml")]
pub struct Settings {
    /// `discord`, `github`, `shopify`, `slack`, `standard-webhooks` (svix too),
    /// `stripe`, `twitch`, `xero`, or `generic`: `x-signature: sha256=<hex>`,
    /// several separated by commas.
    #[serde(default)]
    provider: Option<String>,
    /// How the sender signs, where it is none of these.
    #[serde(default)]
    scheme: Option<Scheme>,
    /// By how much the signing time may differ from now. Defaults to what the provider
    /// says, mostly `5m`.
    #[serde(default)]
    tolerance: Option<Duration>,
    /// The statuses with which a delivery is refused, each one of 400, 401, 403, 404 and
    /// 422. Default to those of the scheme.
    #[serde(default)]
    statuses: Option<Statuses>,
    /// The id of the principal. Defaults to the provider's name, and must be given with
    /// `scheme`.
    #[serde(default)]
    principal: Option<String>,
}

impl TryFrom<Settings> for WebhookSignature {
    type Error = Problems;

    fn try_from(settings: Settings) -> Result<Self, Problems> {
        let Settings { provider, scheme, tolerance, statuses, principal } = settings;
        let mut scheme = match (&provider, scheme) {
            (Some(provider), None) => named(provider)?,
            (None, Some(scheme)) => {
                judge(&scheme)?;
                scheme
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(Problems::one(
                    "",
                    "the policy needs either `provider` or `scheme`",
                    "name the provider that signs, or describe how the sender signs",
                ));
            }
        };
        match (&mut scheme.timestamp, tolerance) {
            (Some(timestamp), Some(tolerance)) => timestamp.tolerance = tolerance,
            (None, Some(_)) => {
                return Err(Problems::one(
                    "tolerance",
                    "the scheme signs no time, so that nothing can be held against now",
                    "leave it out, and put `stock:replay-window` after this policy",
                ));
            }
            (_, None) => {}
        }
        if let Some(statuses) = statuses {
            let mut problems = Problems::new();
            statuses.judge("statuses", &mut problems);
            problems.or(())?;
            scheme.statuses = statuses.or(scheme.statuses);
        }
        let principal = principal.or(provider).filter(|id| !id.is_empty()).ok_or_else(|| {
            Problems::one("principal", "a scheme of your own has no provider to name", "name the sender")
        })?;
        if principal.len() > PRINCIPAL_BYTES_MAX || principal.contains(char::is_control) {
            return Err(Problems::one(
                "principal",
                format!("an id has at most {PRINCIPAL_BYTES_MAX} bytes, and no control characters"),
                "name the sender by a shorter, printable name",
            ));
        }
        Ok(Self { scheme, principal })
    }
}

fn named(provider: &str) -> Result<Scheme, Problems> {
    let mut schemes = scheme::of_providers()?;
    schemes.remove(provider).ok_or_else(|| {
        let known: Vec<_> = schemes.into_keys().collect();
        let problem = format!("there is no provider `{provider}`");
        let help = format!("use one of {}, or `scheme`", known.join(", "));
        Problems::one("provider", problem, help)
    })
}
