//! The stock policy `webhook-signature`: webhooks that their sender has signed.
//!
//! How a provider signs is data (`schemes.json`, or the setting `scheme` in the
//! same form), and no provider has code of its own. The key stays on the host,
//! and so does the body.

mod canonical;
mod claims;
mod fields;
mod judge;
mod reason;
mod rfc3339;
mod rule;
mod scheme;
mod settings;
mod template;
mod timestamp;

pub use rule::WebhookSignature;
pub use settings::Settings;
