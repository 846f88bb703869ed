//! Why requests are denied.

use barmkin_guest::reasons;

reasons! {
    /// The caller lacks a scope that the rule for this method and path needs.
    /// `www-authenticate` names it.
    INSUFFICIENT_SCOPE = 403 "insufficient-scope";
    /// No rule speaks of this method and path.
    NO_RULE = 403 "no-rule";
    /// In another case the path is subject to another rule, and a backend may not tell
    /// them apart.
    AMBIGUOUS_PATH = 400 "ambiguous-path";
}
