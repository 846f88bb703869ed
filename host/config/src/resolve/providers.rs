//! Whether keys are written as the providers of webhooks hand their secrets out.

use crate::document::{self, Encoding, Entry};
use crate::resolve::{Context, Secret};
use barmkin_host::{PolicySpec, Spec};
use std::collections::BTreeMap;

/// How a provider's secret becomes a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Its text is the key, whatever it looks like: Stripe's begins with `whsec_`,
    /// <https://docs.stripe.com/webhooks/signature>.
    AsItStands,
    /// It is base64 behind `whsec_` or `whpk_`,
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    AfterPrefix,
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
        let Some(provider) = provider(policy) else { continue };
        let written = match provider {
            "standard-webhooks" => Written::AfterPrefix,
            "github" | "shopify" | "slack" | "stripe" | "twitch" | "xero" => Written::AsItStands,
            _ => continue,
        };
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

/// Whose webhooks a policy verifies, where it is the stock policy and says so.
fn provider(policy: &PolicySpec) -> Option<&str> {
    let is_stock = barmkin_stock::get("webhook-signature").is_some_and(|stock| *stock.component == *policy.component);
    policy.settings.get("provider")?.as_str().filter(|_| is_stock)
}
