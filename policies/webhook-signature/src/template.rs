//! The text that a signature covers, as a scheme describes it.

use barmkin_guest::Schema;
use serde::Deserialize;

/// The text that a signature covers, piece by piece.
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(try_from = "String")]
pub(crate) struct Template(pub(crate) Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Id,
    Timestamp,
    Body,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has `{{` without `}}`"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match name {
                "id" => Piece::Id,
                "timestamp" => Piece::Timestamp,
                "body" => Piece::Body,
                _ => {
                    return Err(format!("`{{{name}}}` is not a piece: use `{{id}}`, `{{timestamp}}` and `{{body}}`"));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

impl Template {
    pub(crate) fn has(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }
}
