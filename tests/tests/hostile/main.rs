//! Hostile policies, and the outcome of each: the request is denied with a
//! reason of its own (or the policy is refused when it is loaded), the process
//! lives, nothing is left behind, and others go on.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod door;
mod dropped;
#[macro_use]
#[path = "../../src/hostile/list.rs"]
mod list;
#[macro_use]
#[path = "../../fixtures/hostile/src/programs.rs"]
mod programs;
mod quarantine;

use door::{decided, decided_as_component, denied, denied_as_component, refused, refused_as_component};

/// A hostile policy without a test of its name does not compile.
macro_rules! each_has_a_test {
    ($($(#[$doc:meta])* $name:ident)*) => { const _: &[fn()] = &[$($name),*]; };
}
for_each_program!(each_has_a_test);
for_each_component!(each_has_a_test);

#[test]
fn behaves() {
    decided("behaves", 100);
}

#[test]
fn spins_in_check() {
    denied("spins_in_check", "deadline-exceeded");
}

#[test]
fn spins_in_configure() {
    refused("spins_in_configure", "configuring the component failed: deadline-exceeded");
}

#[test]
fn calls_the_host_in_configure() {
    refused("calls_the_host_in_configure", "configuring the component failed: contract-violation");
}

/// That is no harm, but its limit.
#[test]
fn allocates_all_in_configure() {
    decided("allocates_all_in_configure", 100);
}

#[test]
fn grows_memory() {
    denied("grows_memory", "memory-exceeded");
}

#[test]
fn recurses() {
    denied("recurses", "policy-trapped");
}

#[test]
fn floods_host_calls() {
    denied("floods_host_calls", "host-calls-exceeded");
}

#[test]
fn floods_the_host_with_bytes() {
    denied("floods_the_host_with_bytes", "policy-trapped");
}

#[test]
fn floods_the_log() {
    let seen = denied("floods_the_log", "host-calls-exceeded");
    assert!(seen.log_lines_dropped > 0);
}

/// The client never sees it, and the operator's log takes a line of it.
#[test]
fn returns_a_megabyte() {
    let seen = denied("returns_a_megabyte", "long");
    assert!(seen.detail_bytes <= barmkin_host::limits::DETAIL_BYTES_MAX);
}

#[test]
fn returns_megabytes() {
    denied("returns_megabytes", "contract-violation");
}

#[test]
fn returns_line_breaks_in_a_header() {
    denied("returns_line_breaks_in_a_header", "contract-violation");
}

#[test]
fn sets_a_header_it_was_not_granted() {
    denied("sets_a_header_it_was_not_granted", "contract-violation");
}

#[test]
fn names_a_principal_without_the_grant() {
    denied("names_a_principal_without_the_grant", "contract-violation");
}

#[test]
fn uses_an_undeclared_key() {
    denied("uses_an_undeclared_key", "contract-violation");
}

#[test]
fn uses_an_undeclared_nonce_space() {
    denied("uses_an_undeclared_nonce_space", "contract-violation");
}

#[test]
fn uses_an_undeclared_quota() {
    denied("uses_an_undeclared_quota", "contract-violation");
}

#[test]
fn traps() {
    denied("traps", "policy-trapped");
}

#[test]
fn panics() {
    denied("panics", "policy-trapped");
}

#[test]
fn returns_status_99() {
    denied("returns_status_99", "contract-violation");
}

#[test]
fn keeps_state() {
    decided("keeps_state", 1_000);
}

#[test]
fn leaves_its_page_dirty() {
    decided("leaves_its_page_dirty", 1_000);
}

#[test]
fn leaves_its_memory_dirty() {
    decided("leaves_its_memory_dirty", 1_000);
}

#[test]
fn imports_sockets() {
    refused_as_component("imports_sockets", "imports `wasi:sockets/tcp@0.2.6`, which no policy is given");
}

#[test]
fn has_a_start_function() {
    refused_as_component("has_a_start_function", "configuring the component failed: deadline-exceeded");
}

#[test]
fn calls_the_host_when_it_starts() {
    refused_as_component("calls_the_host_when_it_starts", "configuring the component failed: contract-violation");
}

#[test]
fn is_for_a_future_contract() {
    refused_as_component(
        "is_for_a_future_contract",
        "was built for `barmkin:policy/request-policy@9.0.0`, but this host",
    );
}

#[test]
fn is_a_core_module() {
    refused_as_component("is_a_core_module", "this is a core module, not a component");
}

#[test]
fn is_truncated() {
    refused_as_component("is_truncated", "the component is not valid");
}

#[test]
fn is_a_100_mb_file() {
    refused_as_component("is_a_100_mb_file", "the component has 104857600 bytes, but may have 16777216");
}

#[test]
fn grows_tables() {
    refused_as_component("grows_tables", "cannot be snapshotted");
}

#[test]
fn wants_a_large_table() {
    refused_as_component("wants_a_large_table", "configuring the component failed: memory-exceeded");
}

#[test]
fn wants_a_large_memory() {
    refused_as_component("wants_a_large_memory", "configuring the component failed: memory-exceeded");
}

#[test]
fn answers_with_one_page_again_and_again() {
    denied_as_component("answers_with_one_page_again_and_again", "policy-trapped");
}

#[test]
fn answers_from_outside_its_memory() {
    denied_as_component("answers_from_outside_its_memory", "policy-trapped");
}

#[test]
fn answers_in_no_utf8() {
    denied_as_component("answers_in_no_utf8", "policy-trapped");
}

#[test]
fn answers_with_no_decision() {
    denied_as_component("answers_with_no_decision", "policy-trapped");
}

#[test]
fn gives_the_host_memory_it_has_not() {
    denied_as_component("gives_the_host_memory_it_has_not", "policy-trapped");
}

#[test]
fn spins_in_realloc() {
    denied_as_component("spins_in_realloc", "deadline-exceeded");
}

#[test]
fn spins_after_its_answer() {
    denied_as_component("spins_after_its_answer", "deadline-exceeded");
}

#[test]
fn leaves_all_that_it_has_changed() {
    decided_as_component("leaves_all_that_it_has_changed", 1_000);
}

#[test]
fn declares_without_end() {
    refused_as_component("declares_without_end", "configuring the component failed");
}
