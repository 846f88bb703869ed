//! Why requests are denied.

use barmkin_guest::reasons;

reasons! {
    /// The caller has used up its quota. `retry-after` says when it may try again;
    /// without it the cost is more than can be taken at once.
    OVER_QUOTA = 429 "over-quota";
    /// The request lacks what the quota is counted by: no policy before this one named
    /// a principal, or the client's address is not known.
    UNIDENTIFIED_CALLER = 403 "unidentified-caller";
}
