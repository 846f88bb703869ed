//! Policies of a few lines, for targets that need one.

use barmkin_host::PolicySpec;
use http::HeaderName;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// The field in which [`echo`] says which path it was given.
pub(crate) const PATH_FIELD: HeaderName = HeaderName::from_static("x-path");

/// The component whose module is `text`.
pub(crate) fn component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).expect("the text is right");
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).expect("the contract is there");
    let world = resolve.select_world(&[package], Some("policy")).expect("it has a world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it fits");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("it is a component")
}

/// Reads `x-api-key` and `x_odd`, and abstains with the path in [`PATH_FIELD`]:
/// `input.path` is at 44 in the record, the address of its bytes four further on.
pub(crate) fn echo() -> PolicySpec {
    let text = format!(
        r#"(module
            (memory (export "memory") 4)
            (global $free (mut i32) (i32.const 8192))
            (data (i32.const 1028) "\08")
            (data (i32.const 1032) "\b0\04\00\00\02\00\00\00")
            (data (i32.const 1084) "\00\05\00\00\01\00\00\00")
            (data (i32.const 1200) "\14\05\00\00\09\00\00\00\01\00\00\00")
            (data (i32.const 1212) "\28\05\00\00\05\00\00\00\01\00\00\00")
            (data (i32.const 1280) "\32\05\00\00\06\00\00\00")
            (data (i32.const 1300) "x-api-key")
            (data (i32.const 1320) "x_odd")
            (data (i32.const 1330) "x-path")
            (data (i32.const 2048) "\02")
            (data (i32.const 2056) "\20\08\00\00\01\00\00\00")
            (data (i32.const 2084) "\32\05\00\00\06\00\00\00")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $free)
                (global.set $free (i32.and
                    (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 15)) (i32.const -8))))
            (func (export "{0}#configure") (param i32 i32) (result i32) (i32.const 1024))
            (func (export "{0}#check") (param i32) (result i32)
                (i64.store (i32.const 2092) (i64.load offset=48 (local.get 0)))
                (i32.const 2048))
            (func (export "cabi_post_{0}#configure") (param i32))
            (func (export "cabi_post_{0}#check") (param i32)))"#,
        barmkin_host::CONTRACT
    );
    let mut policy = PolicySpec::new(component(&text));
    policy.grants.sets = vec![PATH_FIELD];
    // A fuzzer that has to wait for its processor is not the policy's doing.
    policy.deadline = barmkin_host::limits::DEADLINE_MAX;
    policy
}
