//! The senders whose libraries are the oracle, and where each puts what.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::random::Random;

/// A sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// `discord-interactions` on npm.
    Discord,
    /// `@octokit/webhooks-methods` on npm.
    GitHub,
    /// `@shopify/shopify-api` on npm.
    Shopify,
    /// `slack_sdk` on PyPI.
    Slack,
    /// `standardwebhooks` on PyPI.
    StandardWebhooks,
    /// `stripe` on PyPI.
    Stripe,
    /// `svix` on PyPI.
    Svix,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

use Vendor::{Discord, GitHub, Shopify, Slack, StandardWebhooks, Stripe, Svix};

impl Vendor {
    /// Its name in the programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Discord => "discord",
            GitHub => "github",
            Shopify => "shopify",
            Slack => "slack",
            StandardWebhooks => "standard-webhooks",
            Stripe => "stripe",
            Svix => "svix",
        }
    }

    /// The `provider` of the policy.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            // The same scheme, under other names of headers.
            Svix => StandardWebhooks.name(),
            vendor => vendor.name(),
        }
    }

    /// Whether its library is Python's, and not JavaScript's.
    pub(crate) fn is_python(self) -> bool {
        matches!(self, Slack | StandardWebhooks | Stripe | Svix)
    }

    pub(crate) fn signature_field(self) -> &'static str {
        match self {
            Discord => "x-signature-ed25519",
            GitHub => "x-hub-signature-256",
            Shopify => "x-shopify-hmac-sha256",
            Slack => "x-slack-signature",
            StandardWebhooks => "webhook-signature",
            Stripe => "stripe-signature",
            Svix => "svix-signature",
        }
    }

    /// Where the signing time is, if it has a field of its own.
    pub(crate) fn time_field(self) -> Option<&'static str> {
        match self {
            Discord => Some("x-signature-timestamp"),
            Slack => Some("x-slack-request-timestamp"),
            StandardWebhooks => Some("webhook-timestamp"),
            Svix => Some("svix-timestamp"),
            GitHub | Shopify | Stripe => None,
        }
    }

    pub(crate) fn signs_time(self) -> bool {
        self == Stripe || self.time_field().is_some()
    }

    /// Where the signed id is.
    pub(crate) fn id_field(self) -> Option<&'static str> {
        match self {
            StandardWebhooks => Some("webhook-id"),
            Svix => Some("svix-id"),
            Discord | GitHub | Shopify | Slack | Stripe => None,
        }
    }

    /// The beginning of a signature.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Discord | Shopify => "",
            GitHub => "sha256=",
            Slack => "v0=",
            StandardWebhooks | Svix => "v1,",
            Stripe => "v1=",
        }
    }

    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Discord | GitHub | Slack | Stripe => Encoding::Hex,
            Shopify | StandardWebhooks | Svix => Encoding::Base64,
        }
    }

    /// The character between signatures, where there may be several.
    pub(crate) fn separator(self) -> Option<char> {
        match self {
            StandardWebhooks | Svix => Some(' '),
            Stripe => Some(','),
            Discord | GitHub | Shopify | Slack => None,
        }
    }

    /// A secret as the vendor hands it out; Discord's is the seed of its own key.
    pub(crate) fn secret(self, random: &mut Random) -> String {
        match self {
            Discord => hex::encode(random.bytes(32)),
            GitHub => format!("päss wörd {}", hex::encode(random.bytes(8))),
            Shopify => format!("shpss_{}", hex::encode(random.bytes(16))),
            Slack => hex::encode(random.bytes(16)),
            Stripe => format!("whsec_{}", hex::encode(random.bytes(16))),
            StandardWebhooks | Svix => {
                let length = random.between(24, 64);
                format!("whsec_{}", BASE64_STANDARD.encode(random.bytes(length)))
            }
        }
    }
}
