//! Moves what a policy says of itself from its module to the component.
//!
//! The SDK writes it into a custom section of the module, which is all that the
//! compiler lets it do. In the component it is found without looking into modules,
//! and the module that runs is without it.

use wasm_encoder::{CustomSection, Encode};

/// As `barmkin-guest` has it.
const SECTION: &str = "barmkin-description";

/// The module without its description, and the description.
///
/// Of what is no module all is left as it is: the encoder says what is wrong.
pub(crate) fn take(module: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut rest = module;
    let mut kept = Vec::with_capacity(module.len());
    let mut description = None;
    if let Some(header) = split(&mut rest, HEADER_BYTES) {
        kept.extend(header);
    }
    while let Some((section, name, contents)) = section(&mut rest) {
        if name == Some(SECTION.as_bytes()) {
            description = Some(contents.to_vec());
        } else {
            kept.extend(section);
        }
    }
    kept.extend(rest);
    (kept, description)
}

/// Adds a description to a component.
pub(crate) fn add(component: &mut Vec<u8>, description: &[u8]) {
    let section = CustomSection { name: SECTION.into(), data: description.into() };
    component.push(CUSTOM);
    section.encode(component);
}

/// The id of custom sections, in modules and in components.
const CUSTOM: u8 = 0;

/// The magic number and the version.
const HEADER_BYTES: usize = 8;

type Section<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// The next section: all of it, and the name and contents of a custom one.
fn section<'a>(rest: &mut &'a [u8]) -> Option<Section<'a>> {
    let start = *rest;
    let (id, mut after) = start.split_first()?;
    let length = number(&mut after)?;
    let mut contents = split(&mut after, length)?;
    let whole = start.get(..start.len() - after.len())?;
    let name = if *id == CUSTOM {
        let length = number(&mut contents)?;
        Some(split(&mut contents, length)?)
    } else {
        None
    };
    *rest = after;
    Some((whole, name, contents))
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(first)
}

/// An unsigned number of at most 32 bits, in LEB128.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_taken_and_all_else_kept() {
        let custom = |name: &str, data: &[u8]| {
            let mut bytes = vec![CUSTOM];
            CustomSection { name: name.into(), data: data.into() }.encode(&mut bytes);
            bytes
        };
        let header = b"\0asm\x01\0\0\0".to_vec();
        let (types, producers) = (vec![1, 1, 0], custom("producers", b"x"));
        let whole = [header.clone(), types.clone(), custom(SECTION, &[b'd'; 300]), producers.clone()].concat();
        let without = [header, types, producers].concat();
        assert_eq!(take(&whole), (without.clone(), Some(vec![b'd'; 300])));
        assert_eq!(take(&without), (without, None));
        for length in 0..whole.len() {
            let cut = whole.get(..length).unwrap_or_default();
            assert!(take(cut).0 == cut || take(cut).1.is_some());
        }
    }
}
