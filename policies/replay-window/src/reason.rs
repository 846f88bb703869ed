//! Why deliveries are denied.

use barmkin_guest::reasons;

reasons! {
    /// The delivery was signed too long ago, or too far in the future: see `window`.
    STALE_DELIVERY = 403 "stale-delivery";
    /// The delivery is being handled already. The sender tries again, and learns then
    /// what became of it.
    IN_PROGRESS = 503 "in-progress";
    /// The delivery came before, and its nonce space says `on-duplicate = "deny"`, or
    /// says nothing where it is not known whether the upstream took the first.
    REPLAYED = 409 "replayed";
    /// The delivery came before, and the upstream took it: the sender is told so, and
    /// nothing is forwarded. It is what `on-duplicate = "acknowledge"` asks for.
    DUPLICATE_ACKNOWLEDGED = 200 "duplicate-acknowledged";
    /// Nothing that tells deliveries apart was verified: a policy such as
    /// `webhook-signature` must come before this one.
    UNIDENTIFIED_DELIVERY = 403 "unidentified-delivery";
}
