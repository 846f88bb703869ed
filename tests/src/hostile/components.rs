//! Components that no compiler makes: written as text, each with one fault.

use std::path::Path;
use std::sync::LazyLock;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{Resolve, WorldId};

/// One page from the start on, taken from below.
const BUMP: &str = "(global.get $free) (global.set $free (i32.and (i32.add (i32.add (global.get $free) \
    (local.get 3)) (i32.const 15)) (i32.const -8)))";

/// Memory is zeros, and zeros are an empty manifest that was accepted.
const CONFIGURED: &str = "(i32.const 1024)";

/// Abstains.
const ABSTAIN: &str = "(i32.store8 (i32.const 2048) (i32.const 2)) (i32.const 2048)";

pub(super) fn imports_sockets() -> Vec<u8> {
    component(r#"(component (import "wasi:sockets/tcp@0.2.6" (instance)))"#)
}

pub(super) fn has_a_start_function() -> Vec<u8> {
    policy(BUMP, CONFIGURED, ABSTAIN, "(func $start (loop (br 0))) (start $start)")
}

pub(super) fn calls_the_host_when_it_starts() -> Vec<u8> {
    let take = r#"(import "barmkin:quota/quota@0.1.0" "take" (func $take (param i32 i32) (result i32)))"#;
    let start = "(func $start (drop (call $take (i32.const 0) (i32.const 1)))) (start $start)";
    module(take, BUMP, CONFIGURED, ABSTAIN, start)
}

pub(super) fn is_for_a_future_contract() -> Vec<u8> {
    component(r#"(component (instance $i) (export "barmkin:policy/request-policy@9.0.0" (instance $i)))"#)
}

pub(super) fn is_a_core_module() -> Vec<u8> {
    component("(module)")
}

pub(super) fn is_truncated() -> Vec<u8> {
    let mut bytes = policy(BUMP, CONFIGURED, ABSTAIN, "");
    bytes.truncate(bytes.len() / 2);
    bytes
}

pub(super) fn is_a_100_mb_file() -> Vec<u8> {
    let mut bytes = policy(BUMP, CONFIGURED, ABSTAIN, "");
    bytes.resize(100 * 1024 * 1024, 0);
    bytes
}

pub(super) fn grows_tables() -> Vec<u8> {
    let grow = format!("(loop (drop (table.grow (ref.null func) (i32.const 1024))) (br 0)) {ABSTAIN}");
    policy(BUMP, CONFIGURED, &grow, "(table 1 funcref)")
}

pub(super) fn wants_a_large_table() -> Vec<u8> {
    policy(BUMP, CONFIGURED, ABSTAIN, "(table 10000000 funcref)")
}

pub(super) fn wants_a_large_memory() -> Vec<u8> {
    // The last of the two memories is not the one that the contract uses.
    policy(BUMP, CONFIGURED, ABSTAIN, "(memory 60000)")
}

pub(super) fn answers_with_one_page_again_and_again() -> Vec<u8> {
    // The second page is full of (0, 65536): each is a text of one page.
    let fill = "(local $at i32) (local.set $at (i32.const 65536))
        (loop
            (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 65536))
            (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 131072))))";
    policy(BUMP, CONFIGURED, &format!("{fill} {}", deny((0, 1), (65_536, 4_096))), "")
}

pub(super) fn answers_from_outside_its_memory() -> Vec<u8> {
    policy(BUMP, CONFIGURED, &deny((0, 1), (131_000, 4_096)), "")
}

pub(super) fn answers_in_no_utf8() -> Vec<u8> {
    let byte = "(i32.store8 (i32.const 3072) (i32.const 255))";
    policy(BUMP, CONFIGURED, &format!("{byte} {}", deny((3_072, 1), (0, 0))), "")
}

pub(super) fn answers_with_no_decision() -> Vec<u8> {
    policy(BUMP, CONFIGURED, "(i32.store8 (i32.const 2048) (i32.const 77)) (i32.const 2048)", "")
}

pub(super) fn gives_the_host_memory_it_has_not() -> Vec<u8> {
    // Good as long as it is configured: its settings are the first it is given.
    let realloc = "(if (result i32) (global.get $asked) (then (i32.const -65536)) \
        (else (global.set $asked (i32.const 1)) (i32.const 8192)))";
    policy(realloc, CONFIGURED, ABSTAIN, "(global $asked (mut i32) (i32.const 0))")
}

pub(super) fn spins_in_realloc() -> Vec<u8> {
    let realloc = "(if (global.get $asked) (then (loop (br 0)))) (global.set $asked (i32.const 1)) (i32.const 8192)";
    policy(realloc, CONFIGURED, ABSTAIN, "(global $asked (mut i32) (i32.const 0))")
}

pub(super) fn spins_after_its_answer() -> Vec<u8> {
    let after = r#"(func (export "cabi_post_barmkin:policy/request-policy@0.1.0#check") (param i32) (loop (br 0)))"#;
    policy(BUMP, CONFIGURED, ABSTAIN, after)
}

pub(super) fn leaves_all_that_it_has_changed() -> Vec<u8> {
    let found = "(i32.load8_u (i32.const 4096)) (i32.load8_u (i32.const 131071)) (i32.or)
        (i32.ne (i32.load8_u (i32.const 70001)) (i32.const 0x79)) (i32.or)
        (i32.ne (global.get $kept) (i32.const 7)) (i32.or)
        (f64.ne (global.get $kept_too) (f64.const 0.5)) (i32.or)";
    let change = "(memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 131072))
        (global.set $kept (i32.const 8)) (global.set $kept_too (f64.const 1.5)) (global.set $free (i32.const 8192))
        (memory.fill (i32.const 2048) (i32.const 0) (i32.const 64))";
    let check = format!("(if (result i32) {found} (then {}) (else {change} {ABSTAIN}))", deny((70_000, 2), (0, 0)));
    let more = r#"
        (global $kept (mut i32) (i32.const 7)) (global $kept_too (mut f64) (f64.const 0.5))
        (data (i32.const 70000) "xy")
        (func (export "cabi_post_barmkin:policy/request-policy@0.1.0#configure") (param i32))
        (func (export "cabi_post_barmkin:policy/request-policy@0.1.0#check") (param i32))"#;
    policy(BUMP, CONFIGURED, &check, more)
}

pub(super) fn declares_without_end() -> Vec<u8> {
    // 2,048 nonce spaces, each named by the first page.
    let configure = "(local $at i32) (local.set $at (i32.const 65536))
        (loop
            (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 65536))
            (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 81920))))
        (i32.store (i32.const 1068) (i32.const 65536)) (i32.store (i32.const 1072) (i32.const 2048)) (i32.const 1024)";
    policy(BUMP, configure, ABSTAIN, "")
}

/// A denial: its code and its fields as they lie in memory, address and length.
fn deny(code: (u32, u32), headers: (u32, u32)) -> String {
    let words = [(2_060, code.0), (2_064, code.1), (2_076, headers.0), (2_080, headers.1)];
    let words = words.map(|(at, word)| format!("(i32.store (i32.const {at}) (i32.const {word}))"));
    format!(
        "(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store16 (i32.const 2056) (i32.const 403)) {} (i32.const 2048)",
        words.join(" ")
    )
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn policy(realloc: &str, configure: &str, check: &str, more: &str) -> Vec<u8> {
    module("", realloc, configure, check, more)
}

/// A component with two pages of memory, of which the lower 8 KiB are for
/// results, and with these functions.
fn module(imports: &str, realloc: &str, configure: &str, check: &str, more: &str) -> Vec<u8> {
    static CONTRACT: LazyLock<(Resolve, WorldId)> = LazyLock::new(|| {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
        let world = resolve.select_world(&[package], Some("policy")).unwrap();
        (resolve, world)
    });
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 8192))
            {more}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "barmkin:policy/request-policy@0.1.0#configure") (param i32 i32) (result i32) {configure})
            (func (export "barmkin:policy/request-policy@0.1.0#check") (param i32) (result i32) {check}))"#
    );
    let mut module = component(&text);
    let (resolve, world) = &*CONTRACT;
    wit_component::embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}
