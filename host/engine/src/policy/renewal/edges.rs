//! Components of every shape that change all they can: each is renewed rightly
//! or has fresh instances. None is refused, and none shows what a call left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::renewing;
use super::tests::answers;

/// The module that most cases share; `f` calls `$scribble`, which says whether
/// anything is not as it began, and changes all of it.
const MAIN: &str = r#"
    (memory $memory (export "memory") 2)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00clean")
    (data (i32.const 70000) "and more")
    (global $i32 (export "i32") (mut i32) (i32.const -1))
    (global $i64 (mut i64) (i64.const -2))
    (func $scribble
        (if (i32.or
                (i32.or (i32.ne (global.get $i32) (i32.const -1)) (i64.ne (global.get $i64) (i64.const -2)))
                (i32.or (i32.or (i32.load8_u (i32.const 16)) (i32.load8_u (i32.const 60000)))
                    (i32.or (i32.load8_u (i32.const 131071)) (i32.ne (i32.load8_u (i32.const 70007)) (i32.const 0x65)))))
            (then (i64.store (i32.const 8) (i64.const 0x7974726964))))
        (memory.fill (i32.const 16) (i32.const 0x21) (i32.const 131056))
        (global.set $i32 (i32.const 1)) (global.set $i64 (i64.const 1)))
    (func $f (export "f") (result i32) (call $scribble) (call $more) (i32.const 0))
    (func $end (export "end") (param i32))
"#;
const NO_MORE: &str = "(func $more)";

/// How the function `f` is lifted, when nothing is said about it.
const LIFT: &str = r#"(core instance $i (instantiate $m))
    (func $lifted (export "f") (result string)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#;

/// Whether a component is renewed, or why not.
type Expected = Result<(), &'static str>;

const INVALID: Expected = Err("it is not valid once it is rewritten");
const OTHERWISE: Expected = Err("another module can call what the host calls");
const ONE_STATE: Expected = Err("not exactly one of its modules has memory");

/// The name of each case, the code that its module has besides [`MAIN`], and
/// the code that the component has besides the module.
const CASES: &[(&str, &str, &str, Expected)] = &[
    ("nothing else", NO_MORE, LIFT, Ok(())),
    ("the end is referred to", "(func $more (drop (ref.func $end)))", LIFT, INVALID),
    ("the begin is referred to", "(func $more (drop (ref.func $f)))", LIFT, INVALID),
    (
        "both are referred to, and exported once more",
        r#"(export "f2" (func $f)) (export "end2" (func $end))
        (func $more (drop (ref.func $end)) (drop (ref.func $f)))"#,
        LIFT,
        Ok(()),
    ),
    (
        "both stand in a table, and are called by way of it",
        r#"(table funcref (elem $end $scribble)) (func $more (call_indirect (param i32) (i32.const 0) (i32.const 0)))"#,
        LIFT,
        Ok(()),
    ),
    ("a declared element segment", "(elem declare func $end $f) (func $more (drop (ref.func $end)))", LIFT, Ok(())),
    (
        "a table with entries that come and go with the instance",
        r#"(table $t 3 funcref) (elem (table $t) (i32.const 1) func $more)
        (func $more (drop (table.get $t (i32.const 1))) (drop (table.size $t)))"#,
        LIFT,
        Ok(()),
    ),
    (
        "a passive segment that is used, and not dropped",
        r#"(data $d "xyz") (func $more (memory.init $d (i32.const 90) (i32.const 0) (i32.const 3)))"#,
        LIFT,
        Ok(()),
    ),
    (
        "memory that is copied",
        "(func $more (memory.copy (i32.const 70000) (i32.const 100) (i32.const 50)))",
        LIFT,
        Ok(()),
    ),
    (
        "memory that grows by nothing, and memory that cannot grow",
        "(func $more (drop (memory.grow (i32.const 0))) (drop (memory.grow (i32.const -1))))",
        LIFT,
        Ok(()),
    ),
    (
        "the memory under two names",
        r#"(export "memory2" (memory $memory)) (func $more)"#,
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory2")) (post-return (func $i "end"))))"#,
        Ok(()),
    ),
    (
        "the end under two names",
        r#"(export "end2" (func $end)) (func $more)"#,
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end2"))))"#,
        Ok(()),
    ),
    (
        "two functions that are one, with one end",
        NO_MORE,
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))
        (func (export "g") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        Ok(()),
    ),
    (
        "another function, without an end",
        r#"(func $more) (func (export "g"))"#,
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))
        (func (export "g") (canon lift (core func $i "g")))"#,
        Err("a call into it has no post-return function"),
    ),
    (
        "another function, which is the end",
        r#"(func $more) (func (export "none"))"#,
        r#"(core instance $i (instantiate $m))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))
        (func (export "g") (param "x" u32) (canon lift (core func $i "end") (post-return (func $i "none"))))"#,
        Err("a post-return function is called for itself"),
    ),
    (
        "the end is exported once more by the component's own core instance",
        NO_MORE,
        r#"(core instance $i (instantiate $m))
        (core instance $again (export "end" (func $i "end")))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $again "end"))))"#,
        Err("a post-return function is of another module"),
    ),
    (
        "another module calls the end",
        NO_MORE,
        r#"(core module $n (import "i" "end" (func (param i32))))
        (core instance $i (instantiate $m))
        (core instance (instantiate $n (with "i" (instance (export "end" (func $i "end"))))))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        OTHERWISE,
    ),
    (
        "another module is given all of it",
        NO_MORE,
        r#"(core module $n (import "i" "f" (func (result i32))))
        (core instance $i (instantiate $m)) (core instance (instantiate $n (with "i" (instance $i))))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        OTHERWISE,
    ),
    (
        "the begin is another module's, which cannot tell",
        NO_MORE,
        r#"(core module $n (import "i" "scribble" (func $f)) (func (export "f") (result i32) (call $f) (i32.const 0)))
        (core module $o (func (export "f")))
        (core instance $o (instantiate $o))
        (core instance $i (instantiate $m))
        (core instance $n (instantiate $n (with "i" (instance (export "scribble" (func $o "f"))))))
        (func (export "f") (result string)
            (canon lift (core func $n "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        Err("a call enters it by another module"),
    ),
    (
        "another module changes its memory and its global",
        r#"(table (export "table") 1 funcref) (func $more (call_indirect (i32.const 0)))"#,
        r#"(core module $n
            (import "i" "memory" (memory 1)) (import "i" "i32" (global $g (mut i32))) (import "i" "table" (table 1 funcref))
            (func $write (global.set $g (i32.const 9)) (i32.store8 (i32.const 60000) (i32.const 1)))
            (elem (i32.const 0) func $write))
        (core instance $i (instantiate $m))
        (core instance (instantiate $n (with "i" (instance (export "memory" (memory $i "memory"))
            (export "i32" (global $i "i32")) (export "table" (table $i "table"))))))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        Ok(()),
    ),
    (
        "another module's constant",
        r#"(import "n" "c" (global $c i32)) (func $more (i32.store8 (global.get $c) (i32.const 1)))"#,
        r#"(core module $n (global (export "c") i32 (i32.const 60000)))
        (core instance $n (instantiate $n)) (core instance $i (instantiate $m (with "n" (instance $n))))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        Ok(()),
    ),
    (
        "another module's global that changes",
        r#"(import "n" "c" (global $c (mut i32))) (func $more (global.set $c (i32.const 1)))"#,
        r#"(core module $n (global (export "c") (mut i32) (i32.const 60000)))
        (core instance $n (instantiate $n)) (core instance $i (instantiate $m (with "n" (instance $n))))
        (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))"#,
        ONE_STATE,
    ),
    (
        "a component within it that only gives names",
        NO_MORE,
        r#"(core instance $i (instantiate $m))
        (func $lifted (result string)
            (canon lift (core func $i "f") (memory (core memory $i "memory")) (post-return (func $i "end"))))
        (component $c (import "g" (func $g (result string))) (export "f" (func $g)))
        (instance $c (instantiate $c (with "g" (func $lifted))))
        (export "f" (func $c "f"))"#,
        Ok(()),
    ),
    ("vectors", "(func $more (v128.store (i32.const 60000) (v128.const i64x2 1 1)))", LIFT, Ok(())),
    (
        "a vector that is kept",
        "(global $v (mut v128) (v128.const i64x2 0 0)) (func $more (global.set $v (v128.const i64x2 1 1)))",
        LIFT,
        Err("a global or a segment begins with what is computed"),
    ),
    (
        "tail calls",
        "(func $more (return_call $again)) (func $again (return_call_indirect (i32.const 0))) (table funcref (elem $none)) (func $none)",
        LIFT,
        Ok(()),
    ),
    ("a start function", "(func $more) (start $more)", LIFT, Err("a module has a start function")),
    ("a second memory", "(memory 1) (func $more)", LIFT, Err("it has more than one memory")),
    (
        "a table that is written",
        "(table $t 1 funcref) (func $more (table.set $t (i32.const 0) (ref.null func)))",
        LIFT,
        Err("it changes a table"),
    ),
    ("a segment that is dropped", r#"(data $d "x") (func $more (data.drop $d))"#, LIFT, Err("it drops a segment")),
    ("a name section, and one that nobody knows", r#"(@custom "unknown" "contents") (func $more)"#, LIFT, Ok(())),
];

#[test]
fn each_is_renewed_rightly_or_is_fresh() {
    let mut wrong = Vec::new();
    for (case, more, rest, expected) in CASES {
        // Imports come first in a module.
        let component = wat::parse_str(format!("(component (core module $m {MAIN} {more}) {rest})"))
            .or_else(|_| wat::parse_str(format!("(component (core module $m {more} {MAIN}) {rest})")))
            .unwrap();
        let kept = answers(&component);
        assert!(kept[0] == "clean" && kept[1] == "dirty" || case.ends_with("cannot tell"), "{case}: {kept:?}");
        let seen = renewing(&component).map(|renewed| answers(&renewed));
        let expected = expected.map(|()| ["clean"; 3].map(str::to_owned).to_vec());
        if seen != expected {
            wrong.push(format!("{case}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
