//! The profile that embedders are told to use is the one that this is tried with.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[test]
fn the_documented_profile_is_the_one_of_this_repository() {
    let documentation = include_str!("../src/lib.rs");
    let (_, rest) = documentation.split_once("//! ```toml\n").unwrap();
    let (profile, _) = rest.split_once("//! ```").unwrap();
    let profile: String = profile.lines().map(|line| format!("{}\n", line.trim_start_matches("//! "))).collect();
    assert_eq!(profile.lines().count(), 3);
    assert!(include_str!("../../../Cargo.toml").contains(&format!("\n{profile}\n")), "{profile}");
}
