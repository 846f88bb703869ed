//! The host's bounds on what a policy declares, asks for and answers.

pub(super) const HOST_CALLS_MAX: u32 = 1_000;
pub(super) const CANDIDATES_MAX: usize = 32;
/// Of a nonce, or of a quota's subject.
pub(super) const SUBJECT_BYTES_MAX: usize = 1_024;
/// Of each kind.
pub(super) const MANIFEST_ITEMS_MAX: usize = 64;
pub(super) const BODY_BYTES_MAX: u32 = 64 * 1_024 * 1_024;
pub(super) const CODE_BYTES_MAX: usize = 64;
/// Of a denial, or changes of the request.
pub(super) const DECISION_HEADERS_MAX: usize = 32;
pub(super) const DECISION_VALUE_BYTES_MAX: usize = 4 * 1_024;
pub(super) const PRINCIPAL_ID_BYTES_MAX: usize = 256;
/// Roles, scopes or attributes, each.
pub(super) const PRINCIPAL_ITEMS_MAX: usize = 256;
pub(super) const PRINCIPAL_ITEM_BYTES_MAX: usize = 1_024;
