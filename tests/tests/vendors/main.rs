//! Deliveries that vendors' own libraries sign while the test runs, and what
//! becomes of them when they are altered: the gate accepts what the library
//! accepts, and rejects what it rejects, with the differences that
//! [`differences`] lists.
//!
//! `tests/vendors` has the programs that call the libraries, and which versions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends by panicking"
)]

mod delivery;
mod differences;
mod gate;
mod library;
mod mutations;
mod random;
mod vendor;

use barmkin_tests::harness::Tool;
use delivery::{Delivery, Fresh, KINDS, Kind};
use differences::{DIFFERENCES, Instead};
use gate::{Decision, Receiver};
use library::{Library, Opinion};
use random::Random;
use std::collections::BTreeSet;
use vendor::Vendor;

/// Rounds with fresh secrets, ids and bodies.
const ROUNDS: usize = 2;

/// Reasons for which the gate rejects a delivery as the sender's.
const REASONS: [&str; 12] = [
    "ambiguous-timestamp",
    "conflicting-headers",
    "duplicate-header",
    "malformed-signature",
    "malformed-timestamp",
    "message-id-too-long",
    "missing-message-id",
    "missing-signature",
    "missing-timestamp",
    "signature-mismatch",
    "timestamp-too-new",
    "timestamp-too-old",
];

#[test]
fn discord_is_decided_as_discord_interactions_does() {
    decides_as_its_library(Vendor::Discord, &[]);
}

#[test]
fn github_is_decided_as_octokit_does() {
    decides_as_its_library(Vendor::GitHub, &[Kind::Empty, Kind::Binary]);
}

#[test]
fn shopify_is_decided_as_its_library_does() {
    decides_as_its_library(Vendor::Shopify, &[Kind::Empty, Kind::Binary]);
}

#[test]
fn slack_is_decided_as_its_library_does() {
    decides_as_its_library(Vendor::Slack, &[Kind::Binary]);
}

#[test]
fn standard_webhooks_are_decided_as_their_library_does() {
    decides_as_its_library(Vendor::StandardWebhooks, &[Kind::Binary]);
}

#[test]
fn stripe_is_decided_as_its_library_does() {
    decides_as_its_library(Vendor::Stripe, &[Kind::Binary]);
}

#[test]
fn svix_is_decided_as_its_library_does() {
    decides_as_its_library(Vendor::Svix, &[Kind::Binary]);
}

/// `untaken` are the bodies that the library does not take, even if the vendor
/// sends them: most want text, and some want any.
fn decides_as_its_library(vendor: Vendor, untaken: &[Kind]) {
    let Some(installed) = Tool::Vendors.find(&format!("deliveries of {vendor:?}")) else { return };
    let mut library = Library::start(vendor, &installed);
    let mut receiver = Receiver::new(vendor);
    let mut random = Random::default();
    let mut comparison = Comparison::new(vendor);
    for kind in [KINDS; ROUNDS].into_iter().flatten() {
        let Some(mut fresh) = Fresh::sign(vendor, kind, &mut library, &mut random) else {
            assert!(untaken.contains(&kind), "{vendor:?} does not take {kind:?}");
            continue;
        };
        assert!(!untaken.contains(&kind), "{vendor:?} takes {kind:?} now");
        for mutation in mutations::all() {
            let Some(delivery) = (mutation.make)(&mut fresh) else { continue };
            let opinion = fresh.library.verify(&delivery);
            let decision = receiver.decide(&delivery, fresh.library);
            comparison.add(kind, mutation.name, &delivery, &opinion, &decision);
        }
    }
    comparison.end();
}

/// The decisions of a library and of the gate on the same deliveries.
struct Comparison {
    vendor: Vendor,
    seen: BTreeSet<&'static str>,
    accepted: usize,
    rejected: usize,
    /// Each with the delivery.
    faults: Vec<(String, String)>,
}

impl Comparison {
    fn new(vendor: Vendor) -> Self {
        Self { vendor, seen: BTreeSet::new(), accepted: 0, rejected: 0, faults: Vec::new() }
    }

    fn add(&mut self, kind: Kind, mutation: &'static str, delivery: &Delivery, library: &Opinion, gate: &Decision) {
        self.seen.insert(mutation);
        *if *gate == Decision::Accepted { &mut self.accepted } else { &mut self.rejected } += 1;
        let listed = DIFFERENCES
            .iter()
            .find(|difference| difference.vendors.contains(&self.vendor) && difference.mutations.contains(&mutation));
        let is_expected = match (listed.map(|listed| listed.gate), gate) {
            (None, Decision::Accepted) => library.accepted,
            (None, Decision::Rejected { status, reason }) => {
                !library.accepted && (400..500).contains(status) && REASONS.contains(&reason.as_str())
            }
            (Some(Instead::Accepts), decision) => !library.accepted && *decision == Decision::Accepted,
            (Some(Instead::Rejects(why)), Decision::Rejected { reason, .. }) => library.accepted && reason == why,
            (Some(Instead::Rejects(_)), Decision::Accepted) => false,
        };
        if !is_expected {
            let listed = listed.map_or(String::new(), |listed| format!("; it is listed with {:?}", listed.gate));
            let fault = format!("`{mutation}`, {kind:?}: by the library {library}, by the gate {gate:?}{listed}");
            self.faults.push((fault, delivery.to_string()));
        }
    }

    fn end(mut self) {
        for difference in DIFFERENCES.iter().filter(|difference| difference.vendors.contains(&self.vendor)) {
            for mutation in difference.mutations.iter().filter(|mutation| !self.seen.contains(*mutation)) {
                let fault = format!("`{mutation}` is listed ({}), and was not tried", difference.why);
                self.faults.push((fault, String::new()));
            }
        }
        println!("{:?}: {} accepted, {} rejected", self.vendor, self.accepted, self.rejected);
        // One that rejects everything agrees with a program that cannot verify.
        assert!(self.accepted > 20 && self.rejected > 200, "{} and {}", self.accepted, self.rejected);
        let faults = self.faults.iter().map(|(fault, _)| fault.as_str()).collect::<Vec<_>>().join("\n");
        let first = self.faults.first().map_or("", |(_, delivery)| delivery);
        assert!(self.faults.is_empty(), "{faults}\nthe first of these {}:\n{first}", self.faults.len());
    }
}
