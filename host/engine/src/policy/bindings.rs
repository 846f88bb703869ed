//! The contract, as Rust types. Nothing else is in here.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "policy",
    ownership: Borrowing { duplicate_if_necessary: true },
});
