//! What one operator makes of its function: nothing, an instruction, or the
//! tens that a call of the runtime takes.

use wasmparser::Operator;

/// Bytes of memory that the compiler holds for an operator until the function
/// is done, by measurement of 20,000 in one function.
mod bytes {
    /// What moves a value, makes one or drops it.
    pub(super) const VALUE: u64 = 1_000;
    /// One instruction or two.
    pub(super) const INSTRUCTION: u64 = 6_000;
    /// What is lowered to several, or to one that wants its values in certain
    /// registers: shifts, divisions, vectors.
    pub(super) const SEVERAL: u64 = 14_000;
    pub(super) const BRANCH: u64 = 6_000;
    /// It is a block, and looks at the deadline.
    pub(super) const LOOP: u64 = 24_000;
    /// What asks the runtime, or looks at a table: checks, and a branch for
    /// each.
    pub(super) const RUNTIME: u64 = 32_000;
}

/// Bytes that the compiler holds for an entry of a segment of a table: the
/// function with which an instance begins stores each by itself.
pub(super) const ELEMENT: u64 = 14_000;

/// Bytes that the compiler holds for `operator`.
pub(super) fn held(operator: &Operator<'_>) -> u64 {
    use Operator::*;
    match operator {
        Nop | Drop | End | Return | Unreachable | LocalGet { .. } | LocalSet { .. } | LocalTee { .. } => bytes::VALUE,
        I32Const { .. } | I64Const { .. } | F32Const { .. } | F64Const { .. } => bytes::VALUE,
        Block { .. } | If { .. } | Else | Br { .. } | BrIf { .. } => bytes::BRANCH,
        BrTable { targets } => u64::from(targets.len()).saturating_mul(bytes::BRANCH),
        Loop { .. } => bytes::LOOP,
        I32Shl | I32ShrS | I32ShrU | I32Rotl | I32Rotr | I64Shl | I64ShrS | I64ShrU | I64Rotl | I64Rotr => {
            bytes::SEVERAL
        }
        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU => bytes::SEVERAL,
        operator if asks_runtime(operator) => bytes::RUNTIME,
        operator if is_vector(operator) => bytes::SEVERAL,
        _ => bytes::INSTRUCTION,
    }
}

/// Whether the code of `operator` looks at a table or calls the runtime.
pub(super) fn asks_runtime(operator: &Operator<'_>) -> bool {
    use Operator::*;
    matches!(
        operator,
        CallIndirect { .. }
            | ReturnCallIndirect { .. }
            | MemoryGrow { .. }
            | MemoryInit { .. }
            | MemoryCopy { .. }
            | MemoryFill { .. }
            | DataDrop { .. }
            | ElemDrop { .. }
            | RefFunc { .. }
            | TableInit { .. }
            | TableCopy { .. }
            | TableFill { .. }
            | TableGet { .. }
            | TableSet { .. }
            | TableGrow { .. }
    )
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
