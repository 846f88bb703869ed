//! The contract, as wit-bindgen reads it. The only place that does.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::indexing_slicing,
    reason = "generated from wit/, where each item is documented"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "barmkin:policy/policy",
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: false },
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "::barmkin_guest::bindings",
});
