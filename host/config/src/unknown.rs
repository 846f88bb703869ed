//! Finds keys that mean nothing: a misspelled setting must not be a missing
//! one.

use crate::schema::Shape;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A key that the schema does not know.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    /// The known key that was probably meant.
    pub(crate) near: Option<String>,
    /// All keys that are known there.
    pub(crate) known: Vec<String>,
}

/// Takes the unknown keys out of a table and all tables in it, so that what is
/// left can be read.
pub(crate) fn take(table: &mut DeTable<'_>, shape: &Shape<'_>) -> Vec<Unknown> {
    let mut unknown = Vec::new();
    take_into(table, shape, &mut unknown);
    unknown
}

fn take_into(table: &mut DeTable<'_>, shape: &Shape<'_>, unknown: &mut Vec<Unknown>) {
    if let Some(names) = shape.names() {
        let strange: Vec<_> = table.keys().filter(|key| !names.contains(&key.get_ref().as_ref())).cloned().collect();
        for key in strange {
            table.remove(&key);
            let near = nearest(key.get_ref(), &names);
            let known = names.iter().map(|name| (*name).to_owned()).collect();
            unknown.push(Unknown { span: key.span(), key: key.into_inner().into_owned(), near, known });
        }
    }
    for (key, value) in table.iter_mut() {
        take_from(value.get_mut(), &shape.key(key.get_ref()), unknown);
    }
}

fn take_from(value: &mut DeValue<'_>, shape: &Shape<'_>, unknown: &mut Vec<Unknown>) {
    match value {
        DeValue::Table(table) => take_into(table, shape, unknown),
        DeValue::Array(items) => {
            let shape = shape.items();
            items.iter_mut().for_each(|item| take_from(item.get_mut(), &shape, unknown));
        }
        _ => {}
    }
}

/// The name among `names` that `written` is a slip of, if there is one.
pub(crate) fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n &'n str>) -> Option<String> {
    // A longer text may have a slip more.
    let most = 1 + written.chars().count() / 4;
    let written = written.to_lowercase().replace('_', "-");
    let distances = names.into_iter().map(|name| (strsim::damerau_levenshtein(&written, name), *name));
    distances.min().filter(|(distance, _)| *distance <= most).map(|(_, name)| name.to_owned())
}
