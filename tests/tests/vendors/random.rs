//! Random values. A delivery that fails is printed whole, so that they need no
//! seed to come back from.

use std::hash::{BuildHasher, RandomState};

/// A sequence that the standard library seeds from the system.
#[derive(Default)]
pub(crate) struct Random {
    source: RandomState,
    drawn: u64,
}

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.drawn += 1;
        self.source.hash_one(self.drawn)
    }

    /// A number of `least` to `most`.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        let span = u64::try_from(most - least + 1).unwrap();
        least + usize::try_from(self.next() % span).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(length).collect()
    }

    /// Any characters, from all planes.
    pub(crate) fn text(&mut self, characters: usize) -> String {
        let drawn = std::iter::repeat_with(|| u32::try_from(self.next() % 0x11_0000).unwrap());
        drawn.filter_map(char::from_u32).take(characters).collect()
    }
}
