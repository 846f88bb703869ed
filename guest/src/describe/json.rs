//! Writes a description as JSON, while a policy is compiled: what runs has no part
//! in it.

use crate::describe::{Choice, Description, Lines, Shape, Table};
use crate::reason::DeclaredReason;

/// The JSON that was written. Bytes past the `LENGTH` are only counted.
pub(crate) struct Written<const LENGTH: usize> {
    pub(crate) bytes: [u8; LENGTH],
    pub(crate) length: usize,
}

#[allow(clippy::indexing_slicing, reason = "it runs while a policy is compiled, and would be an error there")]
impl<const LENGTH: usize> Written<LENGTH> {
    pub(crate) const fn of(description: &Description) -> Self {
        let mut to = Self { bytes: [0; LENGTH], length: 0 };
        to.raw("{\"summary\":");
        to.text(description.summary);
        to.raw(",\"settings\":");
        to.schema(&description.settings, &[]);
        to.raw(",\"reasons\":[");
        if let Some(reasons) = description.reasons {
            to.reasons(reasons);
        }
        to.raw("],\"example\":");
        to.raw("\"");
        to.escaped(description.example);
        to.raw("\"}");
        to
    }

    const fn reasons(&mut self, reasons: &[DeclaredReason]) {
        let mut index = 0;
        while index < reasons.len() {
            let DeclaredReason { reason, text } = &reasons[index];
            self.raw(if index == 0 { "{\"code\":\"" } else { ",{\"code\":\"" });
            self.escaped(reason.code());
            self.raw("\",\"status\":");
            self.number(reason.status() as u64);
            self.raw(",\"text\":");
            self.text(text);
            self.raw("}");
            index += 1;
        }
    }

    /// `text` is the setting's own, which says more than that of its type.
    const fn schema(&mut self, shape: &Shape, text: Lines) {
        self.raw("{");
        let text = match shape {
            Shape::Table(table) if text.is_empty() => table.text,
            _ => text,
        };
        if !text.is_empty() {
            self.raw("\"description\":");
            self.text(text);
            self.raw(if matches!(shape, Shape::Any) { "" } else { "," });
        }
        match shape {
            Shape::Any => {}
            Shape::Boolean => self.raw("\"type\":\"boolean\""),
            Shape::Number => self.raw("\"type\":\"number\""),
            Shape::Integer { min, max } => {
                self.raw("\"type\":\"integer\",\"minimum\":");
                if *min < 0 {
                    self.raw("-");
                }
                self.number(min.unsigned_abs());
                self.raw(",\"maximum\":");
                self.number(*max);
            }
            Shape::Text(pattern) => {
                self.raw("\"type\":\"string\"");
                if !pattern.is_empty() {
                    self.raw(",\"pattern\":\"");
                    self.escaped(pattern);
                    self.raw("\"");
                }
            }
            Shape::List(items) => {
                self.raw("\"type\":\"array\",\"items\":");
                self.schema(items, &[]);
            }
            Shape::Map(values) => {
                self.raw("\"type\":\"object\",\"additionalProperties\":");
                self.schema(values, &[]);
            }
            Shape::Table(table) => self.table(table),
            Shape::Choice(choices) => self.choices(choices),
        }
        self.raw("}");
    }

    const fn table(&mut self, table: &Table) {
        self.raw("\"type\":\"object\",\"properties\":{");
        let mut index = 0;
        while index < table.fields.len() {
            let field = &table.fields[index];
            self.raw(if index == 0 { "\"" } else { ",\"" });
            self.escaped(field.name);
            self.raw("\":");
            self.schema(&field.shape, field.text);
            index += 1;
        }
        self.raw("},\"required\":[");
        let (mut index, mut is_first) = (0, true);
        while index < table.fields.len() {
            let field = &table.fields[index];
            if field.is_required {
                self.raw(if is_first { "\"" } else { ",\"" });
                self.escaped(field.name);
                self.raw("\"");
                is_first = false;
            }
            index += 1;
        }
        self.raw("],\"additionalProperties\":false");
    }

    const fn choices(&mut self, choices: &[Choice]) {
        self.raw("\"oneOf\":[");
        let mut index = 0;
        while index < choices.len() {
            let choice = &choices[index];
            self.raw(if index == 0 { "{\"const\":\"" } else { ",{\"const\":\"" });
            self.escaped(choice.name);
            self.raw("\"");
            if !choice.text.is_empty() {
                self.raw(",\"description\":");
                self.text(choice.text);
            }
            self.raw("}");
            index += 1;
        }
        self.raw("]");
    }

    /// Lines of a doc comment, without the space that each begins with.
    const fn text(&mut self, lines: Lines) {
        self.raw("\"");
        let mut index = 0;
        while index < lines.len() {
            if index > 0 {
                self.raw("\\n");
            }
            let line = lines[index];
            match line.as_bytes() {
                [b' ', ..] => self.escaped(line.split_at(1).1),
                _ => self.escaped(line),
            }
            index += 1;
        }
        self.raw("\"");
    }

    const fn number(&mut self, number: u64) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// Text of others, for between quotes (RFC 8259, section 7).
    const fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            match bytes[index] {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                control @ 0..=0x1f => {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    self.raw("\\u00");
                    self.push(DIGITS[(control >> 4) as usize]);
                    self.push(DIGITS[(control & 15) as usize]);
                }
                byte => self.push(byte),
            }
            index += 1;
        }
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self.push(bytes[index]);
            index += 1;
        }
    }

    const fn push(&mut self, byte: u8) {
        if self.length < LENGTH {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }
}
