//! The known providers of webhooks, and whether keys are written as they hand
//! their secrets out.

use crate::document::{self, Encoding, Entry};
use crate::resolve::{Context, Secret};
use crate::stock;
use barmkin_host::{PolicySpec, Spec};
use std::collections::BTreeMap;
use std::time::Duration;

/// A known provider: all but the scheme by which it signs.
#[derive(Clone, Copy)]
pub(super) struct Provider {
    written: Written,
    /// Whether a message id is among what it signs.
    pub(super) signs_ids: bool,
    /// How far the signing time may be from now, where that is signed.
    pub(super) tolerance: Option<Duration>,
    /// Bytes of the largest body that it sends, where its documentation says
    /// that.
    pub(super) body_bytes_max: Option<usize>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Provider {
    fn named(name: &str) -> Option<Self> {
        let stamped =
            Self { written: Written::AsItStands, signs_ids: false, tolerance: Some(5 * MINUTE), body_bytes_max: None };
        let plain = Self { tolerance: None, ..stamped };
        Some(match name {
            // "Payloads are capped at 25 MB",
            // <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
            "github" => Self { body_bytes_max: Some(25 * 1024 * 1024), ..plain },
            "shopify" | "xero" => plain,
            "slack" | "stripe" => stamped,
            "discord" => Self { written: Written::PublicKey, ..stamped },
            "standard-webhooks" => Self { written: Written::AfterPrefix, signs_ids: true, ..stamped },
            "twitch" => Self { signs_ids: true, tolerance: Some(10 * MINUTE), ..stamped },
            _ => return None,
        })
    }

    /// Whose webhooks a policy verifies, where it is the stock policy and says
    /// so; the name, too.
    pub(super) fn of(policy: &PolicySpec) -> Option<(&str, Self)> {
        let name = policy.settings.get("provider")?.as_str().filter(|_| is_webhook_signature(policy))?;
        Some((name, Self::named(name)?))
    }
}

/// Whether it is the stock policy that verifies webhooks.
pub(super) fn is_webhook_signature(policy: &PolicySpec) -> bool {
    stock::name_of(&policy.component) == Some("webhook-signature")
}

/// How a provider's secret becomes a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Its text is the key, whatever it looks like: Stripe's begins with `whsec_`,
    /// <https://docs.stripe.com/webhooks/signature>.
    AsItStands,
    /// It is base64 behind `whsec_` or `whpk_`,
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    AfterPrefix,
    /// It is a public key, which has no text of its own.
    PublicKey,
}

/// Compares the keys of the stock policy `webhook-signature` with what is known of
/// its providers. Other encodings than a provider's own are an operator's: a secret
/// may be kept in hex or base64.
pub(super) fn check(
    spec: &Spec,
    declared: &BTreeMap<String, Entry<document::Key>>,
    secrets: &[Secret],
    context: &mut Context<'_>,
) {
    for (name, policy) in &spec.policies {
        let Some((provider, Provider { written, .. })) = Provider::of(policy) else { continue };
        let keys = policy.grants.keys.values().filter_map(|key| Some((key, declared.get(key)?)));
        for (key, Entry { site, value }) in keys {
            let is_prefixed = secrets.iter().any(|secret| secret.key == *key && secret.is_prefixed);
            let site = site.key("encoding");
            match (written, value.encoding) {
                (Written::AsItStands, Encoding::Whsec) => {
                    let message =
                        format!("`{provider}` (policy `{name}`) signs with the text of its secret as it stands");
                    context.findings.error(site, message).help("write `encoding = \"utf8\"`, or leave it out");
                }
                (Written::AfterPrefix, Encoding::Utf8) if is_prefixed => {
                    let message = format!("`{provider}` (policy `{name}`) signs with the base64 behind `whsec_`");
                    context.findings.error(site, message).help("write `encoding = \"whsec\"`");
                }
                (Written::AsItStands, Encoding::Utf8) if is_prefixed && provider != "stripe" => {
                    let message = format!("a secret of key `{key}` begins with `whsec_`, as none of `{provider}` does");
                    context.findings.warning(site, message).help("check whose secret it is");
                }
                _ => {}
            }
        }
    }
}
