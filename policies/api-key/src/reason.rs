//! Why callers are denied.

use barmkin_guest::reasons;

reasons! {
    /// There is no key in any of the places where one may be.
    MISSING_API_KEY = 401 "missing-api-key";
    /// The text in the place of the key cannot be one: it has more than 512 bytes or
    /// other characters than visible ASCII, or Basic authentication is not written as it
    /// has to be.
    MALFORMED_API_KEY = 401 "malformed-api-key";
    /// The request has two different keys.
    SEVERAL_API_KEYS = 401 "several-api-keys";
    /// Nobody has this key.
    UNKNOWN_API_KEY = 401 "unknown-api-key";
    /// The key does not count yet: see `not-before`.
    API_KEY_NOT_YET_VALID = 401 "api-key-not-yet-valid";
    /// The key has expired.
    EXPIRED_API_KEY = 401 "expired-api-key";
    /// The pepper has no secret in force: the operator must act, and the caller tries
    /// again.
    NO_USABLE_KEY = 503 "no-usable-key";
}
