//! A small fuzzer without coverage: the same inputs each time.

use crate::Target;
use anyhow::{Context, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// An input for which something does not hold.
#[derive(Debug)]
pub struct Found(pub Vec<u8>);

/// Tries the inputs in `corpus`, and `rounds` changes to them.
///
/// # Errors
/// When there is no corpus.
pub fn run(target: Target, corpus: &Path, rounds: u32) -> Result<Result<(), Found>> {
    let inputs = inputs(corpus)?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let changed = (0..rounds).map(|_| change(&inputs, &mut random));
    for input in inputs.iter().cloned().chain(changed) {
        if catch_unwind(AssertUnwindSafe(|| (target.check)(&input))).is_err() {
            return Ok(Err(Found(input)));
        }
    }
    Ok(Ok(()))
}

fn inputs(corpus: &Path) -> Result<Vec<Vec<u8>>> {
    let missing = || format!("there is no corpus in `{}`", corpus.display());
    let mut files = std::fs::read_dir(corpus)
        .and_then(|folder| folder.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>())
        .with_context(missing)?;
    files.sort();
    anyhow::ensure!(!files.is_empty(), missing());
    files.iter().map(|file| std::fs::read(file).with_context(missing)).collect()
}

/// One of the inputs, changed in one to eight places.
fn change(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(inputs).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        let at = random.below(input.len() + 1);
        match random.below(6) {
            0 => input.insert(at, random.byte()),
            1 => drop(input.drain(at..(at + random.below(16)).min(input.len()))),
            2 => input.truncate(at),
            3 => {
                // A piece of another, from there on.
                let other = random.pick(inputs).cloned().unwrap_or_default();
                let from = random.below(other.len() + 1);
                let length = random.below(64).min(other.len() - from);
                input.splice(at..at, other.into_iter().skip(from).take(length));
            }
            _ => {
                let byte = random.byte();
                let flip = random.below(2) == 0;
                if let Some(found) = input.get_mut(at) {
                    *found = if flip { *found ^ (1 << (byte & 7)) } else { byte };
                }
            }
        }
    }
    input
}

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// Often one that means something.
    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\0\n\r\t /\\.;:%=,\"'{}[]#?&@\x7f\x80\xff0aZ";
        let any = u8::try_from(self.next() & 0xff).unwrap_or_default();
        if self.below(2) == 0 { any } else { self.pick(TELLING).copied().unwrap_or(any) }
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(of.len()))
    }
}
