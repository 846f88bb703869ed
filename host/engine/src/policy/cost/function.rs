//! The cost of one function, where it is not that of its bytes.

use super::module::{Arity, Module};
use super::weight::{self, Weight};
use super::{check, invalid};
use crate::generation::error::Problem;
use crate::limits::LOCALS_IN_BLOCKS_MAX;
use wasmparser::{FunctionBody, Operator};

/// Nanoseconds that each takes; see [`super::nanoseconds`].
mod nanoseconds {
    /// A local in a loop: its value there may be any of two, which becomes a
    /// parameter of the loop.
    pub(super) const LOCAL_IN_LOOP: u64 = 2_500;
    /// A local in a block: for where its value comes from, all blocks before
    /// are looked through.
    pub(super) const LOCAL_IN_BLOCK: u64 = 50;
    /// A local that is declared: a function of eight bytes may have 50,000.
    pub(super) const LOCAL: u64 = 100;
    /// A value that a call, a block or a jump takes or gives.
    pub(super) const VALUE: u64 = 500;
    /// Such a value past the registers: it is kept in memory, and all of the
    /// function's are looked through for a place. A thousand calls of two bytes
    /// that move a thousand values each take a minute.
    pub(super) const VALUE_IN_MEMORY: u64 = 30_000;
    /// A KB that is held for the function.
    pub(super) const KB_HELD: u64 = 3_000;
    /// A pair of joins.
    pub(super) const JOIN_OF_JOINS: u64 = 15;
}

/// Bytes that the compiler holds for each, besides what it does for the
/// [operator](super::weight).
mod bytes_held {
    pub(super) const LOCAL_IN_BLOCK: u64 = 100;
    pub(super) const VALUE: u64 = 1_000;
}

/// Values that a call moves in registers: more than compilers of guests give a
/// function.
const VALUES_IN_REGISTERS: u64 = 16;

/// The cost of compiling a function.
pub(super) struct Taken {
    /// Besides what its bytes take.
    pub(super) nanoseconds: u64,
    /// Bytes of memory, until it is compiled.
    pub(super) held: u64,
}

impl Taken {
    /// For a function of which only that is known.
    pub(super) fn for_held(held: u64) -> Self {
        Self { nanoseconds: (held / 1_000).saturating_mul(nanoseconds::KB_HELD), held }
    }
}

/// Counts what compiling `body`, the next of `module`, takes.
pub(super) fn taken(body: &FunctionBody<'_>, module: &mut Module) -> Result<Taken, Problem> {
    let own = module.next_body();
    let mut counts = Counts::default();
    // Labels of the blocks that are open, by the values that a jump takes.
    let mut labels = vec![u64::from(own.results)];
    let mut declared = 0_u64;
    for locals in body.get_locals_reader().map_err(invalid)? {
        declared += u64::from(locals.map_err(invalid)?.0);
    }
    let mut operators = body.get_operators_reader().map_err(invalid)?;
    while !operators.eof() {
        let operator = operators.read().map_err(invalid)?;
        counts.add(weight::of(&operator));
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => {
                let arity = module.block(blockty);
                counts.open(arity);
                labels.push(arity.results.into());
            }
            Operator::Loop { blockty } => {
                let arity = module.block(blockty);
                counts.open(arity);
                counts.loops += 1;
                labels.push(arity.params.into());
            }
            Operator::Else => counts.blocks += 1,
            Operator::End => drop(labels.pop()),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => counts.jump(&labels, relative_depth),
            Operator::BrTable { targets } => {
                for depth in targets.targets() {
                    counts.jump(&labels, depth.map_err(invalid)?);
                }
                counts.jump(&labels, targets.default());
            }
            Operator::Return => counts.move_values(own.results.into()),
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                counts.move_values(module.function(function_index).values());
            }
            Operator::CallIndirect { type_index, .. } | Operator::ReturnCallIndirect { type_index, .. } => {
                counts.move_values(module.ty(type_index).values());
            }
            Operator::LocalGet { local_index } => counts.touch(local_index),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                counts.touch(local_index);
                counts.joins += u64::from(labels.len() > 1);
            }
            _ => {}
        }
    }
    let blocks = counts.blocks.saturating_mul(counts.locals);
    check("pairs of a local and a block in one function", blocks, LOCALS_IN_BLOCKS_MAX)?;
    let held = sum([
        counts.held,
        blocks.saturating_mul(bytes_held::LOCAL_IN_BLOCK),
        counts.values.saturating_mul(bytes_held::VALUE),
    ]);
    let nanoseconds = sum([
        Taken::for_held(held).nanoseconds,
        counts.locals.saturating_mul(counts.loops).saturating_mul(nanoseconds::LOCAL_IN_LOOP),
        blocks.saturating_mul(nanoseconds::LOCAL_IN_BLOCK),
        counts.values.saturating_mul(nanoseconds::VALUE),
        counts.values_in_memory.saturating_mul(nanoseconds::VALUE_IN_MEMORY),
        declared.saturating_mul(nanoseconds::LOCAL),
        counts.joins.saturating_mul(counts.joins).saturating_mul(nanoseconds::JOIN_OF_JOINS),
    ]);
    Ok(Taken { nanoseconds, held })
}

fn sum<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

#[derive(Default)]
struct Counts {
    held: u64,
    blocks: u64,
    loops: u64,
    /// For a place to keep a value at one, all of the others are looked through.
    joins: u64,
    values: u64,
    values_in_memory: u64,
    /// Locals that are used: the others cost nothing.
    locals: u64,
    /// Which are, a bit for each.
    used: Vec<u64>,
}

impl Counts {
    fn add(&mut self, weight: Weight) {
        self.held += weight.held;
        self.joins += weight.joins;
    }

    fn open(&mut self, arity: Arity) {
        self.blocks += 1;
        self.move_values(arity.values());
    }

    fn move_values(&mut self, values: u64) {
        self.values += values;
        self.values_in_memory += values.saturating_sub(VALUES_IN_REGISTERS);
    }

    fn jump(&mut self, labels: &[u64], depth: u32) {
        let label = usize::try_from(depth).ok().and_then(|depth| labels.iter().rev().nth(depth));
        self.move_values(label.copied().unwrap_or_default());
        self.blocks += 1;
    }

    fn touch(&mut self, local: u32) {
        let (word, bit) = (usize::try_from(local / 64).unwrap_or(usize::MAX), 1 << (local % 64));
        // No more may be declared: one past them is refused when it is validated.
        if local >= LOCALS_MAX {
            return;
        }
        if self.used.len() <= word {
            self.used.resize(word + 1, 0);
        }
        if let Some(used) = self.used.get_mut(word).filter(|used| **used & bit == 0) {
            *used |= bit;
            self.locals += 1;
        }
    }
}

/// Locals of a function, its parameters among them, that wasmparser takes.
const LOCALS_MAX: u32 = 64 * 1024;
