//! Text that others wrote.

/// Whether `char` could mislead a terminal or a reader: it is a control, cannot be
/// seen, or changes the order in which text is read (Unicode TR 36, section 2.2).
pub fn misleads(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
