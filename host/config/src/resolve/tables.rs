//! Lists of settings that stand in files of their own: JSON Lines, an entry a
//! line.

use crate::document;
use crate::resolve::Context;
use crate::source::{FileId, Site, Spot};
use barmkin_host::limits::SETTINGS_BYTES_MAX;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// A list that was read from a file, and the places of its entries.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    file: FileId,
    entries: Vec<Range<usize>>,
}

impl Table {
    /// The place of an entry.
    pub(crate) fn spot(&self, entry: usize) -> Spot {
        self.entries.get(entry).map_or(Spot::File(self.file), |line| Spot::Span(self.file, line.clone()))
    }
}

/// Reads the tables of a policy into its settings.
pub(super) fn read(
    policy: &document::Policy,
    site: &Site,
    settings: &mut Value,
    context: &mut Context<'_>,
) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    for (name, from) in &policy.tables {
        let site = site.key("tables").key(name);
        if policy.settings.contains_key(name) {
            context
                .findings
                .error(&site, format!("`{name}` stands in the settings, too"))
                .help("move its entries into the file");
            continue;
        }
        let Some((table, entries)) = read_file(from, &site, context) else { continue };
        if let Some(settings) = settings.as_object_mut() {
            settings.insert(name.clone(), Value::Array(entries));
        }
        tables.insert(name.clone(), table);
    }
    tables
}

fn read_file(from: &str, site: &Site, context: &mut Context<'_>) -> Option<(Table, Vec<Value>)> {
    let Some(path) = from.strip_prefix("file:").filter(|path| !path.is_empty()) else {
        context
            .findings
            .error(site, format!("`{from}` does not say where the entries are"))
            .help("write `file:` and a path, which is relative to this file");
        return None;
    };
    let path = context.sources.beside(site.file, path);
    let bytes = match context.files.read(&path, SETTINGS_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => {
            context
                .findings
                .error(site, format!("`{}` cannot be read: {problem}", path.display()))
                .help("correct the path, which is relative to this file; an empty file has no entries");
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        context.findings.error(site, format!("`{}` is not UTF-8", path.display())).help("save it as UTF-8");
        return None;
    };
    if text.starts_with('\u{feff}') {
        context
            .findings
            .error(site, format!("`{}` begins with a byte order mark", path.display()))
            .help("save it as UTF-8 without one");
        return None;
    }
    let file = context.sources.add(&path, text.clone());
    let mut table = Table { file, entries: Vec::new() };
    let mut entries = Vec::new();
    for line in lines(&text) {
        let at = table.entries.len();
        table.entries.push(line.clone());
        match serde_json::from_str(text.get(line).unwrap_or_default()) {
            Ok(Entry(entry)) => entries.push(Value::Object(entry)),
            Err(error) => context
                .findings
                .error(table.spot(at), format!("this line is not an entry: {}", without_place(&error)))
                .help("write one JSON object a line, such as `{\"id\": \"..\", \"hash\": \"..\"}`"),
        }
    }
    Some((table, entries))
}

/// The lines that are not blank.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split('\n').filter_map(move |line| {
        let range = start..start + line.len();
        start = range.end + 1;
        (!line.trim().is_empty()).then_some(range)
    })
}

/// The message without the line, which is always the first.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split(" at line ").next().unwrap_or_default().to_owned()
}

/// A JSON object in which no name comes twice.
struct Entry(Map<String, Value>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Entry, A::Error> {
        let mut entry = Map::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if entry.contains_key(&name) {
                return Err(de::Error::custom(format!("`{name}` stands in it twice")));
            }
            entry.insert(name, value);
        }
        Ok(Entry(entry))
    }
}
