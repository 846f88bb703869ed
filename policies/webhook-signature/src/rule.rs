//! The one way through all schemes.

use barmkin_guest::prelude::*;
use barmkin_guest::types::{Cardinality, KeyNeed};

use crate::claims::Claims;
use crate::scheme::Scheme;

/// The policy's name for the key.
const KEY: &str = "signing";

/// Verifies signatures by one scheme.
pub struct WebhookSignature {
    pub(crate) scheme: Scheme,
    /// The id of the principal.
    pub(crate) principal: String,
}

impl NamesHeaders for WebhookSignature {
    fn header_names(&self) -> impl Iterator<Item = (&str, Cardinality)> {
        self.scheme.header_names().map(|name| (name, Cardinality::AtMostOne))
    }
}

impl ConfiguresKey for WebhookSignature {
    fn key_need(&self) -> KeyNeed {
        let algorithms = self.scheme.signatures.iter().map(|kind| kind.algorithm.into()).collect();
        KeyNeed { name: KEY.to_owned(), algorithms }
    }
}

impl Rule for WebhookSignature {
    type Input<'a> = (Now, NamedHeaders<'a>, BodyOnHost, ConfiguredKey<'a>);

    fn check(&self, (now, headers, _, key): Self::Input<'_>) -> Decision {
        let verified =
            Claims::read(&self.scheme, headers, now).and_then(|claims| Ok((claims.verify(&self.scheme, key)?, claims)));
        match verified {
            Ok((signature, claims)) => self.accept(&claims, signature, now),
            Err(refusal) => self.scheme.statuses.deny(refusal),
        }
    }

    fn vouches(&self) -> bool {
        true
    }
}

impl WebhookSignature {
    fn accept(&self, claims: &Claims<'_>, signature: Verified, now: Now) -> Decision {
        let mut principal = Principal::provider(&self.principal).by("webhook-signature");
        principal.authenticated_at_unix_ms = Some(now.unix_ms());
        allow(principal).facts(Facts {
            message_id: claims.id.map(str::to_owned),
            signed_at_unix_ms: claims.timestamp.map(|(_, unix_ms)| unix_ms),
            key_id: Some(signature.key_id),
        })
    }
}
