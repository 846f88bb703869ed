//! Components that are renewed, and those that cannot be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

/// A component with one module, `$m`, and one function that is lifted with
/// `options`.
fn component(module: &str, options: &str) -> Vec<u8> {
    with(
        module,
        &format!(
            r#"(core instance $i (instantiate $m))
            (func (export "f") (result string) (canon lift (core func $i "f") (memory (core memory $i "memory")) {options}))"#
        ),
    )
}

fn with(module: &str, rest: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (core module $m {module}) {rest})")).unwrap()
}

const END: &str = r#"(post-return (func $i "end"))"#;

/// Answers `clean` if it finds what it began with, and writes to all the rest.
const SCRIBBLES: &str = r#"
    (memory (export "memory") 2)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00clean")
    (data (i32.const 70000) "and more")
    (global $i32 (mut i32) (i32.const -1))
    (global $i64 (mut i64) (i64.const -2))
    (global $f32 (mut f32) (f32.const nan:0x200001))
    (global $f64 (mut f64) (f64.const -0.5))
    (func (export "f") (result i32)
        (if (i32.or
                (i32.or (i32.ne (global.get $i32) (i32.const -1)) (i64.ne (global.get $i64) (i64.const -2)))
                (i32.or (i32.ne (i32.reinterpret_f32 (global.get $f32)) (i32.const 0x7fa00001))
                    (f64.ne (global.get $f64) (f64.const -0.5))))
            (then (i64.store (i32.const 8) (i64.const 0x6c626f6c67))))
        (if (i32.or
                (i32.or (i32.load8_u (i32.const 16)) (i32.load8_u (i32.const 60000)))
                (i32.or (i32.load8_u (i32.const 131071)) (i32.ne (i32.load8_u (i32.const 70007)) (i32.const 0x65))))
            (then (i64.store (i32.const 8) (i64.const 0x7974726964))))
        (memory.fill (i32.const 16) (i32.const 0x21) (i32.const 131056))
        (global.set $i32 (i32.const 1)) (global.set $i64 (i64.const 1))
        (global.set $f32 (f32.const 1)) (global.set $f64 (f64.const 1))
        (i32.const 0))
    (func (export "end") (param i32))
"#;

/// The answers of `f`, call by call, in one instance.
pub(super) fn answers(component: &[u8]) -> Vec<String> {
    let (mut store, instance) = instance(component);
    let f = instance.get_typed_func::<(), (String,)>(&mut store, "f").unwrap();
    (0..3).map(|_| f.call(&mut store, ()).unwrap().0).collect()
}

fn instance(component: &[u8]) -> (Store<()>, wasmtime::component::Instance) {
    let mut config = wasmtime::Config::new();
    config.concurrency_support(false);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    (store, instance)
}

#[test]
fn each_call_finds_what_the_instance_began_with() {
    let component = component(SCRIBBLES, END);
    assert_eq!(answers(&component), ["clean", "dirty", "dirty"], "it can tell");
    assert_eq!(answers(&renewing(&component).unwrap()), ["clean", "clean", "clean"]);
}

/// The same on a stack that can be suspended, which is another path through
/// wasmtime.
#[test]
fn each_call_that_can_suspend_finds_what_the_instance_began_with() {
    let (mut store, instance) = instance(&renewing(&component(SCRIBBLES, END)).unwrap());
    let f = instance.get_typed_func::<(), (String,)>(&mut store, "f").unwrap();
    for _ in 0..3 {
        let answer = crate::now_or_never(f.call_async(&mut store, ())).unwrap();
        assert_eq!(answer.unwrap().0, "clean");
    }
}

/// An answer stands even if it is overwritten at the end of the call.
#[test]
fn results_are_the_host_s_own_before_the_call_ends() {
    let says_its_own = r#"
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\05\00\00\00clean")
        (func (export "f") (result i32) (i64.store (i32.const 8) (i64.const 0x6e776f796d)) (i32.const 0))
        (func (export "end") (param i32))"#;
    let renewed = renewing(&component(says_its_own, END)).unwrap();
    assert_eq!(answers(&renewed), ["myown"; 3]);
    let (mut store, instance) = instance(&renewed);
    let f = instance.get_typed_func::<(), (String,)>(&mut store, "f").unwrap();
    let answer = crate::now_or_never(f.call_async(&mut store, ())).unwrap();
    assert_eq!(answer.unwrap().0, "myown");
}

#[test]
fn what_a_call_is_given_arrives() {
    let echoes = r#"
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512))
        (func (export "f") (param i32 i64 f64 i32 i32) (result i32)
            (if (i32.or (i32.ne (local.get 0) (i32.const 7))
                    (i32.or (i64.ne (local.get 1) (i64.const 8)) (f64.ne (local.get 2) (f64.const 9))))
                (then unreachable))
            (i32.store (i32.const 0) (local.get 3)) (i32.store (i32.const 4) (local.get 4)) (i32.const 0))
        (func (export "end") (param i32))"#;
    let rest = format!(
        r#"(core instance $i (instantiate $m))
        (func (export "f") (param "a" u32) (param "b" u64) (param "c" f64) (param "d" string) (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (func $i "realloc")) {END}))"#
    );
    let (mut store, instance) = instance(&renewing(&with(echoes, &rest)).unwrap());
    let f = instance.get_typed_func::<(u32, u64, f64, &str), (String,)>(&mut store, "f").unwrap();
    for text in ["first", "second"] {
        assert_eq!(f.call(&mut store, (7, 8, 9.0, text)).unwrap().0, text);
    }
}

/// Without the component around it nothing calls the end.
#[test]
fn a_call_without_an_end_is_the_last() {
    let module = wat::parse_str(format!("(module {SCRIBBLES})")).unwrap();
    let calls = outline::Calls { entries: vec!["f"], post_returns: vec!["end"] };
    let rewritten = rewriting::rewritten(&Module::read(&module).unwrap(), &calls).unwrap();
    let engine = wasmtime::Engine::default();
    let mut store = Store::new(&engine, ());
    let module = wasmtime::Module::new(&engine, rewritten).unwrap();
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    let end = instance.get_typed_func::<i32, ()>(&mut store, "end").unwrap();
    for _ in 0..2 {
        f.call(&mut store, ()).unwrap();
        end.call(&mut store, 0).unwrap();
    }
    f.call(&mut store, ()).unwrap();
    let trap = f.call(&mut store, ()).unwrap_err();
    assert_eq!(trap.downcast_ref(), Some(&wasmtime::Trap::UnreachableCodeReached));
}

#[test]
fn memory_that_begins_empty_is_emptied() {
    let counts = r#"
        (memory (export "memory") 1)
        (func (export "f") (result i32)
            (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 1))
            (i32.store8 (i32.const 8) (i32.add (i32.const 0x31) (i32.load8_u (i32.const 100))))
            (i32.store8 (i32.const 100) (i32.add (i32.const 1) (i32.load8_u (i32.const 100))))
            (i32.const 0))
        (func (export "end") (param i32))"#;
    let component = component(counts, END);
    assert_eq!(answers(&component), ["1", "2", "3"], "it can tell");
    assert_eq!(answers(&renewing(&component).unwrap()), ["1", "1", "1"]);
}

#[test]
fn what_the_sdk_makes_is_renewed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/scripted");
    let component = barmkin_build::build_component(&folder, &barmkin_build::BuildOptions::default()).unwrap();
    wasmparser::Validator::new_with_features(crate::engine::features())
        .validate_all(&renewing(&component).unwrap())
        .unwrap();
}

#[track_caller]
fn is_not_renewed(component: &[u8], why: &str) {
    wasmparser::Validator::new().validate_all(component).unwrap();
    assert_eq!(renewing(component), Err(why));
}

/// [`SCRIBBLES`] with `more` in its module.
fn with_more(more: &str) -> Vec<u8> {
    component(&format!("{SCRIBBLES} {more}"), END)
}

#[test]
fn what_else_could_change_is_not_renewed() {
    let table = "(table $t 1 funcref) (elem $e func) (data $d \"x\")";
    for (code, why) in [
        ("(table.set $t (i32.const 0) (ref.null func))", "it changes a table"),
        ("(drop (table.grow $t (ref.null func) (i32.const 1)))", "it changes a table"),
        ("(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))", "it changes a table"),
        ("(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 1))", "it changes a table"),
        ("(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0))", "it changes a table"),
        ("(elem.drop $e)", "it drops a segment"),
        ("(data.drop $d)", "it drops a segment"),
    ] {
        is_not_renewed(&with_more(&format!("{table} (func {code})")), why);
    }
    is_not_renewed(&with_more("(func $s) (start $s)"), "a module has a start function");
    is_not_renewed(&with_more("(memory 1)"), "it has more than one memory");
    let computed = "a global or a segment begins with what is computed";
    is_not_renewed(&with_more("(global (mut funcref) (ref.null func))"), computed);
    is_not_renewed(&with_more("(global (mut i32) (i32.add (i32.const 1) (i32.const 2)))"), computed);
    is_not_renewed(&with_more("(data (offset (i32.add (i32.const 1) (i32.const 2))) \"x\")"), computed);
}

#[test]
fn calls_that_end_elsewhere_are_not_renewed() {
    is_not_renewed(&component(SCRIBBLES, ""), "a call into it has no post-return function");
    let lift = r#"(func (export "f") (result string) (canon lift (core func $i "f") (memory $i "memory") "#;
    let two = format!(
        r#"(core module $n (func (export "end") (param i32)))
        (core instance $i (instantiate $m)) (core instance $n (instantiate $n)) {lift} (post-return (func $n "end"))))"#
    );
    is_not_renewed(&with(SCRIBBLES, &two), "a post-return function is of another module");
    let twice = format!("(core instance $i (instantiate $m)) (core instance (instantiate $m)) {lift} {END}))");
    is_not_renewed(&with(SCRIBBLES, &twice), "its module is not instantiated exactly once");
}

/// A case that `wat` cannot express: an alias of a function with its exact
/// type.
#[test]
fn no_function_is_overlooked() {
    let lift = format!(
        r#"(core module $n (func (export "end") (param i32))) (core instance $n (instantiate $n))
        (core instance $i (instantiate $m)) (alias core export $n "end" (core func $first))
        (func (export "f") (result string) (canon lift (core func $i "f") (memory $i "memory") {END}))"#
    );
    let mut component = with(SCRIBBLES, &lift);
    let alias = [0x00, 0x00, 0x01, 0x00, 0x03, b'e', b'n', b'd'];
    let at = component.windows(alias.len()).position(|bytes| bytes == alias).unwrap();
    assert_eq!(answers(&renewing(&component).unwrap()), ["clean", "clean", "clean"]);
    component[at + 1] = 0x20;
    assert_eq!(answers(&renewing(&component).unwrap()), ["clean", "clean", "clean"]);
}

#[test]
fn much_memory_is_not_renewed() {
    let large = SCRIBBLES.replace(r#"(memory (export "memory") 2)"#, r#"(memory (export "memory") 17)"#);
    is_not_renewed(&component(&large, END), "it begins with more memory than is put back for each check");
}

#[test]
fn state_elsewhere_is_not_renewed() {
    let lift = format!(
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string) (canon lift (core func $i "f") (memory $i "memory") {END}))"#
    );
    for (other, why) in [
        ("(core module (global (mut i32) (i32.const 0)))", "not exactly one of its modules has memory"),
        ("(core module (memory 1))", "not exactly one of its modules has memory"),
        (r#"(component (core module (memory 1)))"#, "a component within it runs code"),
        (r#"(type $r (resource (rep i32))) (core func (canon resource.new $r))"#, "it has resources"),
        (r#"(import "m" (core module))"#, "it imports a module"),
        (r#"(core module $n) (export "n" (core module $n))"#, "it exports a module"),
    ] {
        is_not_renewed(&with(SCRIBBLES, &format!("{other} {lift}")), why);
    }
}
