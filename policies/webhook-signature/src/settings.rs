use barmkin_guest::prelude::*;
use barmkin_guest::settings::Duration;

use crate::rule::WebhookSignature;
use crate::scheme::{self, Scheme};

/// The settings: a provider by its name, or a scheme in full.
#[policy(rule = WebhookSignature)]
pub struct Settings {
    /// `github`, `shopify`, `slack`, `standard-webhooks`, `stripe`, or
    /// `generic`: `x-signature: sha256=<hex>`, several separated by commas.
    #[serde(default)]
    provider: Option<String>,
    /// How the sender signs, where it is none of these.
    #[serde(default)]
    scheme: Option<Scheme>,
    /// By how much the signing time may differ from now, if not by what is
    /// usual with the provider.
    #[serde(default)]
    tolerance: Option<Duration>,
    /// The id of the principal, if not the provider's name.
    #[serde(default)]
    principal: Option<String>,
}

impl TryFrom<Settings> for WebhookSignature {
    type Error = Problems;

    fn try_from(settings: Settings) -> Result<Self, Problems> {
        let Settings { provider, scheme, tolerance, principal } = settings;
        let mut scheme = match (&provider, scheme) {
            (Some(provider), None) => named(provider)?,
            (None, Some(scheme)) => {
                scheme::judge(&scheme)?;
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
        let principal = principal.or(provider).filter(|id| !id.is_empty()).ok_or_else(|| {
            Problems::one("principal", "a scheme of your own has no provider to name", "name the sender")
        })?;
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
