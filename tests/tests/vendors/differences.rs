//! Where the gate decides otherwise than a vendor's library, and why.
//!
//! Each line is held against the library in every run: one that does not differ
//! any more fails the test, as does a difference that has no line.

use crate::vendor::Vendor::{self, Discord, GitHub, Shopify, Slack, StandardWebhooks, Stripe, Svix};

/// One kind of difference.
pub(crate) struct Difference {
    pub(crate) vendors: &'static [Vendor],
    /// The names of the mutations.
    pub(crate) mutations: &'static [&'static str],
    pub(crate) gate: Instead,
    pub(crate) why: &'static str,
}

/// The gate's decision, where the library's is the opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Accepts,
    /// For this reason.
    Rejects(&'static str),
}

use Instead::{Accepts, Rejects};

/// All of them.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        vendors: &[GitHub, Slack, Stripe],
        mutations: &["hex: in capitals", "hex: the first half in capitals"],
        gate: Accepts,
        why: "the same bytes (RFC 4648, section 8); the libraries compare text",
    },
    Difference {
        vendors: &[Shopify, StandardWebhooks, Svix],
        mutations: &["base64: without padding", "base64: URL-safe", "base64: URL-safe without padding"],
        gate: Accepts,
        why: "the same bytes (RFC 4648, sections 3.2 and 5); the libraries compare text, or decode one way of writing",
    },
    Difference {
        vendors: &[StandardWebhooks, Svix],
        mutations: &[
            "base64: more padding",
            "base64: a digit more",
            "base64: bits past the last byte",
            "base64: a character of no alphabet in it",
        ],
        gate: Rejects("signature-mismatch"),
        why: "no base64 (RFC 4648, sections 3.3 and 3.5), which Python's decoder passes over",
    },
    Difference {
        vendors: &[StandardWebhooks, Svix],
        mutations: &["signatures: a word before it", "signatures: nothing before it"],
        gate: Accepts,
        why: "what is not known in a list is passed over, as signatures of later versions are; the libraries raise",
    },
    Difference {
        vendors: &[StandardWebhooks, Stripe, Svix],
        mutations: &["signatures: a space behind the separator"],
        gate: Accepts,
        why: "spaces around the items of a list mean nothing (RFC 9110, section 5.6.1)",
    },
    Difference {
        vendors: &[StandardWebhooks, Stripe, Svix],
        mutations: &["signatures: sixteen wrong ones before it"],
        gate: Rejects("malformed-signature"),
        why: "each signature is work for the host, whoever sends it: sixteen are looked at",
    },
    Difference {
        vendors: &[Stripe],
        mutations: &["signature: twice, in two fields"],
        gate: Rejects("duplicate-header"),
        why: "the library never sees two fields: servers join them, and not all in the same way",
    },
    Difference {
        vendors: &[Stripe],
        mutations: &["time: signed 6 minutes ahead"],
        gate: Rejects("timestamp-too-new"),
        why: "a delivery from the future could be replayed for longer than it is remembered; the library looks back only",
    },
    Difference {
        vendors: &[Discord],
        mutations: &["time: signed 6 minutes ago", "time: signed in 1970"],
        gate: Rejects("timestamp-too-old"),
        why: "Discord's documentation names no tolerance, and the library has none: a delivery could be replayed for ever",
    },
    Difference {
        vendors: &[Discord],
        mutations: &["time: signed 6 minutes ahead"],
        gate: Rejects("timestamp-too-new"),
        why: "the same",
    },
    Difference {
        vendors: &[StandardWebhooks, Stripe, Svix],
        mutations: &["time: a zero before it", "time: a plus before it", "time: an underscore in it"],
        gate: Rejects("malformed-timestamp"),
        why: "a number has one way of being written; the libraries write it again before they verify what was signed",
    },
    Difference {
        vendors: &[StandardWebhooks, Svix],
        mutations: &["time: a fraction behind it"],
        gate: Rejects("malformed-timestamp"),
        why: "the same",
    },
    Difference {
        vendors: &[Stripe],
        mutations: &["time: a space before it"],
        gate: Rejects("malformed-timestamp"),
        why: "the same",
    },
    Difference {
        vendors: &[Stripe],
        mutations: &["time: twice", "time: another behind it"],
        gate: Rejects("ambiguous-timestamp"),
        why: "the library takes the first, and what stands behind the gate might take the last",
    },
    Difference {
        vendors: &[StandardWebhooks],
        mutations: &["names: `svix-` for `webhook-`"],
        gate: Accepts,
        why: "`standard-webhooks` is the provider for svix too, whose library takes both",
    },
    Difference {
        vendors: &[Svix],
        mutations: &["names: the id's alone under the other prefix"],
        gate: Rejects("missing-message-id"),
        why: "the headers of a delivery come under one set of names: svix's libraries in JavaScript do not mix them either",
    },
    Difference {
        vendors: &[StandardWebhooks, Svix],
        mutations: &["names: both prefixes, with another id under the other"],
        gate: Rejects("conflicting-headers"),
        why: "one would be verified, and the other could be read by what stands behind the gate",
    },
    Difference {
        vendors: &[StandardWebhooks, Svix],
        mutations: &["id: signed with 1025 bytes"],
        gate: Rejects("message-id-too-long"),
        why: "an id becomes a fact for other policies, which have 1,024 bytes for it",
    },
];
