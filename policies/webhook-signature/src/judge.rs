//! Whether a scheme that an operator wrote can hold.

use std::collections::BTreeSet;

use barmkin_guest::Problems;

use crate::scheme::Scheme;
use crate::template::Piece;

/// Everything that is wrong with the scheme.
pub(crate) fn judge(scheme: &Scheme) -> Result<(), Problems> {
    let mut problems = Problems::new();
    if scheme.signatures.is_empty() {
        problems.add("scheme.signatures", "no kind of signature counts", "list at least one");
    }
    judge_signed(scheme, &mut problems);
    judge_names(scheme, &mut problems);
    scheme.statuses.judge("scheme.statuses", &mut problems);
    problems.or(())
}

/// Only what is signed counts.
fn judge_signed(scheme: &Scheme, problems: &mut Problems) {
    if !scheme.signed.has(&Piece::Body) {
        problems.add(
            "scheme.signed",
            "the body is not signed, so that anybody could replace it",
            "put `{body}` where the provider puts the body",
        );
    }
    if scheme.signed.has(&Piece::Timestamp) != scheme.timestamp.is_some() {
        problems.add(
            "scheme.timestamp",
            "a time counts if it is signed, and is signed if it is in `signed`",
            "give `timestamp` and put `{timestamp}` into `signed`, or neither",
        );
    }
    if scheme.signed.has(&Piece::Id) != scheme.id_header.is_some() {
        problems.add(
            "scheme.id-header",
            "an id counts if it is signed, and is signed if it is in `signed`",
            "give `id-header` and put `{id}` into `signed`, or neither",
        );
    }
    if let Some(timestamp) = &scheme.timestamp
        && timestamp.header.is_some() == timestamp.item.is_some()
    {
        problems.add(
            "scheme.timestamp",
            "the time is in a header or in an item of the signatures",
            "give one of `header` and `item`",
        );
    }
}

fn judge_names(scheme: &Scheme, problems: &mut Problems) {
    for (index, set) in scheme.header_sets().skip(1).enumerate() {
        let is_whole = set.timestamp.is_some() == scheme.timestamp_header().is_some()
            && set.id.is_some() == scheme.id_header.is_some();
        if !is_whole {
            problems.add(
                &format!("scheme.other-headers.{index}"),
                "it does not name the same headers as the scheme",
                "give `timestamp-header` and `id-header` where the scheme has them, and only there",
            );
        }
    }
    let mut names = BTreeSet::new();
    for name in scheme.header_names() {
        if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let problem = format!("`{name}` is not a header name in lower case");
            problems.add("scheme", problem, "write header names in lower case");
        }
        if !names.insert(name) {
            let problem = format!("header `{name}` is named twice");
            problems.add("scheme", problem, "give each header one meaning");
        }
    }
}
