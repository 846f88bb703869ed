//! Characters of a path that are not ASCII: which have one reading.

use crate::reason::HostReason;
use unicode_normalization::UnicodeNormalization;

/// Refuses characters that some backend could take for an ASCII one, and
/// invisible ones.
pub(super) fn check_characters(text: &str) -> Result<(), HostReason> {
    if first_ambiguous(text).is_some() { Err(HostReason::AmbiguousPath) } else { Ok(()) }
}

/// The first of those that are refused.
pub(super) fn first_ambiguous(text: &str) -> Option<char> {
    text.chars().find(|char| !char.is_ascii() && (is_unseen(*char) || becomes_ascii(*char)))
}

/// `text`, such that two which some backend does not tell apart are equal:
/// without what differs in case or in compatibility alone.
pub(super) fn fold(text: &str) -> String {
    // To upper case first: `ß` and `SS` meet there.
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Compatibility forms (`／`), characters that change into ASCII with their
/// case (`ı`, the Kelvin sign), and what code pages put where ASCII has a separator (`¥`,
/// `∕`).
fn becomes_ascii(char: char) -> bool {
    let mut upper = char.to_uppercase();
    std::iter::once(char).nfkc().any(|c| c.is_ascii())
        || char.to_lowercase().any(|c| c.is_ascii())
        || (upper.len() == 1 && upper.any(|c| c.is_ascii()))
        || matches!(
            char,
            '\u{a5}'
                | '\u{20a9}'
                | '\u{2044}'
                | '\u{2215}'
                | '\u{2216}'
                | '\u{2236}'
                | '\u{29f5}'
                | '\u{29f8}'
                | '\u{29f9}'
        )
}

/// Controls, formats, fillers, selectors and spaces, which servers, file
/// systems and people leave out; noncharacters, which are not for interchange;
/// and private characters, in which file systems keep what they cannot write
/// otherwise (`U+F03A` is a colon on a share). Characters that are not assigned
/// yet are taken: another release of Unicode may have assigned them.
fn is_unseen(char: char) -> bool {
    char.is_control()
        || char.is_whitespace()
        || u32::from(char) & 0xfffe == 0xfffe
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::{check_characters, fold};

    #[test]
    fn what_people_write_is_taken() {
        for text in [
            "café",
            "straße",
            "Øre",
            "日本語",
            "Ωmega",
            "привет",
            "مرحبا",
            "हिन्दी",
            "한국어",
            "🎉",
            "e\u{301}",
            "\u{fffd}",
        ] {
            assert!(check_characters(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_nobody_sees_or_somebody_reads_as_ascii_is_refused() {
        for char in [
            '\u{80}',
            '\u{85}',
            '\u{9b}',
            '\u{9f}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1680}',
            '\u{17b4}',
            '\u{180e}',
            '\u{2003}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{f03a}',
            '\u{fdd0}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{f0000}',
            '\u{10ffff}',
            '／',
            '．',
            'ａ',
            'ı',
            'İ',
            '\u{212a}',
            'ſ',
            '…',
            '¥',
            '₩',
            '∕',
            '⁄',
            '∖',
            '\u{37e}',
            '①',
            'ﬁ',
        ] {
            assert!(check_characters(&format!("a{char}b")).is_err(), "{:x}", u32::from(char));
        }
    }

    #[test]
    fn folding_leaves_nothing_that_backends_could_fold() {
        for (one, other) in [("É", "é"), ("straße", "STRASSE"), ("e\u{301}", "É"), ("Σς", "σσ"), ("ｶﾞ", "ガ")]
        {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("é"), fold("e"));
    }
}
