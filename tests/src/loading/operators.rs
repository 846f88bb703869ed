//! Functions of one operator many times: some take much more to compile than
//! their bytes show.

use super::bombs::Bomb;
use super::only;

/// Bombs of an operator each, and of what is computed as an instance begins.
pub(super) const OPERATORS: &[Bomb] = &[
    Bomb {
        name: "indirect calls",
        refused_at: 80_000,
        estimated_at: Some(8_000),
        make: |count| repeated("(call_indirect (type $empty) (local.get 0))", count),
    },
    Bomb {
        name: "copies of memory",
        refused_at: 80_000,
        estimated_at: Some(8_000),
        make: |count| repeated("(memory.copy (local.get 0) (local.get 0) (local.get 0))", count),
    },
    Bomb {
        name: "reads of a table",
        refused_at: 80_000,
        estimated_at: Some(8_000),
        make: |count| repeated("(drop (table.get 0 (local.get 0)))", count),
    },
    Bomb { name: "loops", refused_at: 30_000, estimated_at: Some(4_000), make: |count| repeated("(loop)", count) },
    Bomb { name: "locals set in branches", refused_at: 30_000, estimated_at: Some(4_000), make: sets_in_branches },
    Bomb {
        name: "divisions",
        refused_at: 400_000,
        estimated_at: Some(40_000),
        make: |count| repeated("(local.set 1 (i64.rem_s (local.get 1) (local.get 1)))", count),
    },
    Bomb {
        name: "rotations",
        refused_at: 400_000,
        estimated_at: Some(20_000),
        make: |count| repeated("(local.set 1 (i64.rotl (local.get 1) (local.get 1)))", count),
    },
    Bomb {
        name: "vectors",
        refused_at: 400_000,
        estimated_at: Some(20_000),
        make: |count| repeated("(local.set 2 (i32x4.trunc_sat_f32x4_u (local.get 2)))", count),
    },
    Bomb {
        name: "additions",
        refused_at: 600_000,
        estimated_at: Some(60_000),
        make: |count| repeated("(local.set 0 (i32.add (local.get 0) (i32.const 1)))", count),
    },
    Bomb {
        name: "loads",
        refused_at: 400_000,
        estimated_at: Some(40_000),
        make: |count| {
            repeated("(local.set 1 (i64.add (local.get 1) (i64.load offset=4000000000 (local.get 0))))", count)
        },
    },
    Bomb { name: "terms of a constant", refused_at: 600_000, estimated_at: Some(60_000), make: terms },
    Bomb { name: "values of types", refused_at: 2_000, estimated_at: Some(100), make: values_of_types },
    Bomb { name: "functions in tables", refused_at: 132_000, estimated_at: Some(4_000), make: functions_in_tables },
    Bomb { name: "passive elements", refused_at: 300_000, estimated_at: Some(15_000), make: passive_elements },
];

fn sets_in_branches(count: u32) -> Vec<u8> {
    let sets = "(local.set 3 (i32.add (local.get 4) (local.get 3))) (local.set 4 (local.get 5)) \
                (local.set 5 (local.get 6)) (local.set 6 (local.get 3))";
    repeated(&format!("(if (local.get 0) (then {sets}))"), count)
}

/// The function's results are kept, or else it would be compiled to nothing.
fn repeated(operator: &str, count: u32) -> Vec<u8> {
    let operators = operator.repeat(usize::try_from(count).unwrap_or_default());
    module(&format!(
        "(type $empty (func)) (memory 1) (table 10 funcref)
         (global $a (mut i32) (i32.const 0)) (global $b (mut i64) (i64.const 0))
         (global $c (mut v128) (v128.const i64x2 0 0))
         (func (param i32 i64 v128) (local i32 i32 i32 i32) {operators}
            (global.set $a (i32.add (local.get 0) (local.get 3)))
            (global.set $b (local.get 1))
            (global.set $c (local.get 2)))"
    ))
}

fn terms(count: u32) -> Vec<u8> {
    let terms = "(i32.const 1) i32.add ".repeat(usize::try_from(count).unwrap_or_default());
    module(&format!("(global i32 (i32.const 1) {terms})"))
}

/// Each type has another number of values, or else they would be one.
fn values_of_types(count: u32) -> Vec<u8> {
    let values = |at: u32| "i32 ".repeat(usize::try_from(999 - at % 900).unwrap_or_default());
    let types = (0..count).map(|at| format!("(type (func (param {}) (result i64)))", values(at)));
    module(&types.collect::<String>())
}

fn passive_elements(count: u32) -> Vec<u8> {
    let elements = "$f ".repeat(usize::try_from(count).unwrap_or_default());
    module(&format!("(func $f) (elem func {elements})"))
}

fn functions_in_tables(count: u32) -> Vec<u8> {
    let functions: String = (0..count).map(|at| format!("(func $f{at})")).collect();
    let names: String = (0..count).map(|at| format!("$f{at} ")).collect();
    module(&format!("{functions} (elem declare func {names})"))
}

#[expect(clippy::unwrap_used, reason = "what is written here can be read")]
fn module(text: &str) -> Vec<u8> {
    only(&wat::parse_str(format!("(module {text})")).unwrap())
}
