//! The weight of one operator in its function: nothing, an instruction, or the
//! tens that a call of the runtime takes.

use wasmparser::Operator;

/// The compiler's cost of an operator, by measurement of 20,000 in one
/// function.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// Bytes of memory, until the function is compiled.
    pub(super) held: u64,
    /// Places where it joins what a value may be, or must put all values aside.
    pub(super) joins: u64,
}

/// An operator that moves, makes or drops a value.
const VALUE: Weight = Weight { held: 1_000, joins: 0 };

/// One instruction or two.
const INSTRUCTION: Weight = Weight { held: 6_000, joins: 0 };

/// An operator that is lowered to several instructions, or to one that wants
/// its values in certain registers: shifts, divisions, vectors.
const SEVERAL: Weight = Weight { held: 14_000, joins: 0 };

const BRANCH: Weight = Weight { held: 6_000, joins: 0 };

/// A block that looks at the deadline each time.
const LOOP: Weight = Weight { held: 24_000, joins: 5 };

/// An operator that asks the runtime or looks at a table: checks, and a branch
/// for each.
const RUNTIME: Weight = Weight { held: 32_000, joins: 2 };

/// Bytes that the compiler holds for an entry of a segment of a table: the
/// function with which an instance begins stores each by itself.
pub(super) const ELEMENT: u64 = 14_000;

/// The weight of `operator`.
pub(super) fn of(operator: &Operator<'_>) -> Weight {
    use Operator::*;
    match operator {
        Nop | Drop | End | Return | Unreachable | LocalGet { .. } | LocalSet { .. } | LocalTee { .. } => VALUE,
        I32Const { .. } | I64Const { .. } | F32Const { .. } | F64Const { .. } => VALUE,
        Block { .. } | If { .. } | Else | Br { .. } | BrIf { .. } => BRANCH,
        BrTable { targets } => Weight { held: u64::from(targets.len()).saturating_mul(BRANCH.held), joins: 0 },
        Loop { .. } => LOOP,
        I32Shl | I32ShrS | I32ShrU | I32Rotl | I32Rotr | I64Shl | I64ShrS | I64ShrU | I64Rotl | I64Rotr => SEVERAL,
        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU => SEVERAL,
        CallIndirect { .. } | ReturnCallIndirect { .. } | RefFunc { .. } => RUNTIME,
        MemoryGrow { .. } | MemoryInit { .. } | MemoryCopy { .. } | MemoryFill { .. } | DataDrop { .. } => RUNTIME,
        TableGet { .. } | TableSet { .. } | TableGrow { .. } | TableInit { .. } => RUNTIME,
        TableCopy { .. } | TableFill { .. } | ElemDrop { .. } => RUNTIME,
        operator if is_vector(operator) => SEVERAL,
        _ => INSTRUCTION,
    }
}

macro_rules! vectors {
    ($(@$proposal:ident $operator:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        fn is_vector(operator: &Operator<'_>) -> bool {
            match operator {
                $(Operator::$operator { .. } => vectors!(is @$proposal),)*
                _ => true,
            }
        }
    };
    (is @simd) => { true };
    (is @$proposal:ident) => { false };
}
wasmparser::for_each_operator!(vectors);
