//! The files of a configuration, and places in them.
//!
//! A value read from a file forgets where it stood; a finding names it by its
//! path of keys, and the place is looked up when there is something to report.

use crate::excerpt::Excerpt;
use crate::report::Place;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of one file. The largest configurations of the field (tables of API
/// keys) are a few MB.
pub(crate) const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One of the files that were read, in the order in which they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(usize);

impl FileId {
    /// The file that was asked for.
    pub(crate) const MAIN: Self = Self(0);
}

/// All files that were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

/// The part of a configuration that a finding is about.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    /// A file as a whole.
    File(FileId),
    /// Bytes of a file.
    Span(FileId, Range<usize>),
    /// A value, by its keys.
    Site(Site),
}

/// A value in a file, by the keys that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) file: FileId,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Item(usize),
}

impl Site {
    pub(crate) fn root(file: FileId) -> Self {
        Self { file, steps: Vec::new() }
    }

    /// The value of `name` in this table.
    pub(crate) fn key(&self, name: &str) -> Self {
        self.with(Step::Key(name.to_owned()))
    }

    /// An item of this list.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.with(Step::Item(index))
    }

    /// The value at a path as policies name settings: keys and indices joined
    /// by dots.
    pub(crate) fn dotted(&self, path: &str) -> Self {
        path.split('.').filter(|step| !step.is_empty()).fold(self.clone(), |site, step| match step.parse() {
            Ok(index) => site.item(index),
            Err(_) => site.key(step),
        })
    }

    /// The last of its keys.
    pub(crate) fn name(&self) -> &str {
        match self.steps.last() {
            Some(Step::Key(name)) => name,
            _ => "",
        }
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { file: self.file, steps }
    }
}

impl From<Site> for Spot {
    fn from(site: Site) -> Self {
        Self::Site(site)
    }
}

impl From<&Site> for Spot {
    fn from(site: &Site) -> Self {
        Self::Site(site.clone())
    }
}

impl Sources {
    pub(crate) fn add(&mut self, path: &Path, text: String) -> FileId {
        self.0.push(Source { path: path.to_owned(), text });
        FileId(self.0.len() - 1)
    }

    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|source| source.path == path)
    }

    pub(crate) fn path(&self, file: FileId) -> &Path {
        self.0.get(file.0).map_or(Path::new(""), |source| &source.path)
    }

    pub(crate) fn text(&self, file: FileId) -> &str {
        self.0.get(file.0).map_or("", |source| &source.text)
    }

    /// `path`, which is relative to `file` unless it is absolute.
    pub(crate) fn beside(&self, file: FileId, path: &str) -> PathBuf {
        self.path(file).parent().unwrap_or(Path::new("")).join(path)
    }

    pub(crate) fn place(&self, spot: &Spot) -> Place {
        Places::of(self).find(spot)
    }
}

/// Finds places, and reads each file once for all of them.
pub(crate) struct Places<'s> {
    sources: &'s Sources,
    roots: BTreeMap<FileId, Spanned<DeTable<'s>>>,
}

impl<'s> Places<'s> {
    pub(crate) fn of(sources: &'s Sources) -> Self {
        Self { sources, roots: BTreeMap::new() }
    }

    pub(crate) fn find(&mut self, spot: &Spot) -> Place {
        let (file, span) = self.bytes(spot);
        let position = span.map(|span| position(self.sources.text(file).as_bytes(), span.start));
        Place { file: self.sources.path(file).to_owned(), position }
    }

    /// The line that `spot` is in, if it is a part of a file.
    pub(crate) fn excerpt(&mut self, spot: &Spot) -> Option<Excerpt> {
        let (file, span) = self.bytes(spot);
        Excerpt::of(self.sources.text(file), span?)
    }

    fn bytes(&mut self, spot: &Spot) -> (FileId, Option<Range<usize>>) {
        let sources = self.sources;
        match spot {
            Spot::File(file) => (*file, None),
            Spot::Span(file, span) => (*file, Some(span.clone())),
            Spot::Site(site) => {
                let read = || DeTable::parse_recoverable(sources.text(site.file)).0;
                let root = self.roots.entry(site.file).or_insert_with(read);
                (site.file, locate(root.get_ref(), &site.steps))
            }
        }
    }
}

/// Where a value is; where it is absent, the nearest that would contain it.
/// A table is found by its key, since a header has no value to point at.
fn locate(table: &DeTable<'_>, steps: &[Step]) -> Option<Range<usize>> {
    let (Step::Key(name), rest) = steps.split_first()? else { return None };
    let (key, value) = table.get_key_value(name.as_str())?;
    let here = if value.get_ref().is_table() { key.span() } else { value.span() };
    Some(locate_in(value, rest).unwrap_or(here))
}

fn locate_in(value: &Spanned<DeValue<'_>>, steps: &[Step]) -> Option<Range<usize>> {
    match (value.get_ref(), steps.split_first()?) {
        (DeValue::Table(table), _) => locate(table, steps),
        (DeValue::Array(items), (Step::Item(index), rest)) => {
            let item = items.get(*index)?;
            Some(locate_in(item, rest).unwrap_or_else(|| item.span()))
        }
        _ => None,
    }
}

/// Line and column of a byte, both from 1.
pub(crate) fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let line = before.get(line_start..).unwrap_or_default();
    // A byte that begins a character, in UTF-8.
    let characters = line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    (lines + 1, characters + 1)
}
