//! Reads the files of a configuration into one [`Document`].

use crate::document::{Document, Entry};
use crate::files::Files;
use crate::findings::Findings;
use crate::schema::{self, Shape};
use crate::source::{FILE_BYTES_MAX, FileId, Site, Sources, Spot};
use crate::unknown;
use crate::worded::worded;
use barmkin_by_name::ByName;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Files of one configuration: a slip in a pattern shall not read a disk.
const FILES_MAX: usize = 1_000;

/// The configuration, as far as it could be read.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) sources: Sources,
    pub(crate) document: Document,
    pub(crate) findings: Findings,
    pub(crate) files: Files,
    /// The parts that could not be read, in whole or in part.
    pub(crate) unread: Unread,
}

/// The parts of a configuration that could not be read, and so say nothing.
#[derive(Default)]
pub(crate) struct Unread {
    /// Whether that is a whole file, or one that is not TOML.
    pub(crate) files: bool,
    /// Entries, by their kind and name.
    pub(crate) entries: BTreeSet<(&'static str, String)>,
}

/// Reads `path` and what it includes.
pub(crate) fn load(path: &Path) -> Loaded {
    let mut loader = Loader::new();
    loader.read_file(path, None);
    loader.loaded
}

/// As [`load`], of a file that was read already, and is called `path`.
pub(crate) fn load_bytes(path: &Path, bytes: Vec<u8>) -> Loaded {
    let mut loader = Loader::new();
    loader.read_bytes(path, bytes, true);
    loader.loaded
}

struct Loader {
    loaded: Loaded,
    schema: serde_json::Value,
    /// Files that were read, by their true paths.
    seen: Vec<PathBuf>,
}

impl Loader {
    fn new() -> Self {
        Self { loaded: Loaded::default(), schema: schema::document(), seen: Vec::new() }
    }

    /// Reads one file; `from` is where it is included.
    fn read_file(&mut self, path: &Path, from: Option<&Site>) {
        let Loaded { sources, findings, files, unread, .. } = &mut self.loaded;
        match files.read(path, FILE_BYTES_MAX) {
            Ok(bytes) => self.read_bytes(path, bytes, from.is_none()),
            Err(problem) => {
                unread.files = true;
                let spot = match from {
                    Some(site) => site.into(),
                    None => Spot::File(sources.add(path, String::new())),
                };
                findings.error(spot, format!("`{}` cannot be read: {problem}", path.display()));
            }
        }
    }

    fn read_bytes(&mut self, path: &Path, bytes: Vec<u8>, is_main: bool) {
        let Loaded { sources, findings, unread, .. } = &mut self.loaded;
        match String::from_utf8(bytes) {
            Ok(text) => {
                let file = sources.add(path, text.clone());
                self.read_text(file, &text, is_main);
            }
            Err(error) => {
                unread.files = true;
                let valid = error.utf8_error().valid_up_to();
                // What comes before the bad byte stands where it stood.
                let readable = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let file = sources.add(path, readable);
                findings.error(Spot::Span(file, valid..valid), "the file is not UTF-8").help("save it as UTF-8");
            }
        }
    }

    fn read_text(&mut self, file: FileId, text: &str, is_main: bool) {
        let (root, errors) = DeTable::parse_recoverable(text);
        // The others follow from it, or are easier to see without it.
        if let Some(error) = errors.first() {
            let spot = error.span().map_or(Spot::File(file), |span| Spot::Span(file, span));
            let message = lower(error.message());
            let found = self.loaded.findings.error(spot, format!("this is not TOML: {message}"));
            found.help(toml_help(&message));
            self.loaded.unread.files = true;
            return;
        }
        let mut root = root.into_inner();
        for key in unknown::take(&mut root, &Shape::root(&self.schema)) {
            let found =
                self.loaded.findings.error(Spot::Span(file, key.span), format!("there is no key `{}` here", key.key));
            if let Some(near) = key.near {
                // What it would have included declares we know not what.
                self.loaded.unread.files |= near == "include";
                found.help(format!("did you mean `{near}`"));
            } else {
                found.help(known(&key.known));
            }
        }
        self.check_version(file, root.get("version"), is_main);
        // What is declared here comes before what is included.
        let include = root.remove("include");
        for (key, value) in root {
            self.read_section(file, key.get_ref(), value);
        }
        if let Some(include) = include {
            self.include(&Site::root(file).key("include"), include);
        }
    }

    fn check_version(&mut self, file: FileId, version: Option<&Spanned<DeValue<'_>>>, is_main: bool) {
        let findings = &mut self.loaded.findings;
        match version {
            Some(version) if version.get_ref().as_integer().is_none_or(|number| number.to_string() != "1") => {
                findings
                    .error(Spot::Span(file, version.span()), "this release reads version 1 only")
                    .help("write `version = 1`");
            }
            None if is_main => findings
                .error(Spot::Span(file, 0..0), "the file does not say its version")
                .help("begin it with `version = 1`"),
            _ => {}
        }
    }

    fn read_section(&mut self, file: FileId, name: &str, value: Spanned<DeValue<'_>>) {
        let site = Site::root(file).key(name);
        match name {
            "listen" => self.read_named(&site, "listener", value, |document| &mut document.listen),
            "upstreams" => self.read_named(&site, "upstream", value, |document| &mut document.upstreams),
            "keys" => self.read_named(&site, "key", value, |document| &mut document.keys),
            "nonces" => self.read_named(&site, "nonce space", value, |document| &mut document.nonces),
            "quotas" => self.read_named(&site, "quota", value, |document| &mut document.quotas),
            "policies" => self.read_named(&site, "policy", value, |document| &mut document.policies),
            "routes" => self.read_routes(&site, value),
            "store" => self.read_single(site, name, value, |document| &mut document.store),
            "admin" => self.read_single(site, name, value, |document| &mut document.admin),
            "health" => self.read_single(site, name, value, |document| &mut document.health),
            "shutdown" => self.read_single(site, name, value, |document| &mut document.shutdown),
            "limits" => self.read_single(site, name, value, |document| &mut document.limits),
            "cache" => self.read_single(site, name, value, |document| &mut document.cache),
            "pin" => self.read_single(site, name, value, |document| &mut document.pin),
            "forward" => self.read_single(site, name, value, |document| &mut document.forward),
            "errors" => self.read_single(site, name, value, |document| &mut document.errors),
            // Every other key was taken out as unknown.
            _ => {}
        }
    }

    fn read_named<T: DeserializeOwned>(
        &mut self,
        site: &Site,
        kind: &'static str,
        value: Spanned<DeValue<'_>>,
        section: fn(&mut Document) -> &mut BTreeMap<String, Entry<T>>,
    ) {
        let DeValue::Table(table) = value.into_inner() else {
            let section = site.name();
            self.loaded
                .findings
                .error(site, format!("this must be a table with a name for each {kind}"))
                .help(format!("write `[{section}.NAME]` above each of them"));
            self.loaded.unread.files = true;
            return;
        };
        for (name, value) in table {
            let site = site.key(name.get_ref());
            if !is_name(name.get_ref()) {
                let message = format!("`{}` is not a name for a {kind}", name.get_ref());
                self.loaded.findings.error(&site, message).help("use ASCII letters, digits, `-`, `_` and `.`");
                continue;
            }
            if let Some(first) = section(&mut self.loaded.document).get(name.get_ref().as_ref()) {
                let first = Spot::from(&first.site);
                self.declared_twice(&site, format!("{kind} `{}` is declared twice", name.get_ref()), &first);
                continue;
            }
            let name = name.into_inner().into_owned();
            match self.read_value(&site, value) {
                Some(value) => drop(section(&mut self.loaded.document).insert(name, Entry { site, value })),
                None => drop(self.loaded.unread.entries.insert((kind, name))),
            }
        }
    }

    fn read_routes(&mut self, site: &Site, value: Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.into_inner() else {
            self.loaded.findings.error(site, "routes are a list").help("write `[[routes]]` above each of them");
            return;
        };
        for (index, value) in items.into_iter().enumerate() {
            let site = site.item(index);
            if let Some(value) = self.read_value(&site, value) {
                self.loaded.document.routes.push(Entry { site, value });
            }
        }
    }

    fn read_single<T: DeserializeOwned>(
        &mut self,
        site: Site,
        name: &str,
        value: Spanned<DeValue<'_>>,
        section: fn(&mut Document) -> &mut Option<Entry<T>>,
    ) {
        if let Some(first) = section(&mut self.loaded.document) {
            let first = Spot::from(&first.site);
            self.declared_twice(&site, format!("`[{name}]` is declared twice"), &first);
        } else if let Some(value) = self.read_value(&site, value) {
            *section(&mut self.loaded.document) = Some(Entry { site, value });
        }
    }

    fn declared_twice(&mut self, site: &Site, message: String, first: &Spot) {
        // To look for the first is to read its file again.
        let is_reported = !self.loaded.findings.is_full();
        let found = self.loaded.findings.error(site, message);
        if is_reported {
            found.help(format!("it is also declared at {}", self.loaded.sources.place(first)));
        }
    }

    fn read_value<T: DeserializeOwned>(&mut self, site: &Site, value: Spanned<DeValue<'_>>) -> Option<T> {
        let whole = value.span();
        match ByName::<T>::deserialize(ValueDeserializer::from(value)) {
            Ok(ByName(value)) => Some(value),
            Err(error) => {
                // What is missing has no place: the entry's name has.
                let spot = match error.span().filter(|span| *span != whole) {
                    Some(span) => Spot::Span(site.file, span),
                    None => site.into(),
                };
                let (message, help) = worded(&lower(error.message()));
                let found = self.loaded.findings.error(spot, message);
                if let Some(help) = help {
                    found.help(help);
                }
                None
            }
        }
    }

    fn include(&mut self, site: &Site, value: Spanned<DeValue<'_>>) {
        let Some(patterns) = self.read_value::<Vec<String>>(site, value) else {
            self.loaded.unread.files = true;
            return;
        };
        for (index, pattern) in patterns.iter().enumerate() {
            self.include_pattern(&site.item(index), pattern);
        }
    }

    fn include_pattern(&mut self, site: &Site, pattern: &str) {
        let Loaded { sources, findings, files, unread, .. } = &mut self.loaded;
        let folder = sources.path(site.file).parent().unwrap_or(Path::new(""));
        let full = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(pattern);
        files.expect_below(&fixed_part(folder, pattern));
        let matching: Vec<PathBuf> = match glob::glob(&full.to_string_lossy()) {
            Ok(paths) if !Path::new(pattern).is_absolute() => paths.flatten().collect(),
            Ok(_) => {
                unread.files = true;
                findings
                    .error(site, format!("`{pattern}` is an absolute path"))
                    .help("name included files relative to this one");
                return;
            }
            Err(error) => {
                unread.files = true;
                findings.error(site, format!("`{pattern}` is not a pattern for files: {}", error.msg));
                return;
            }
        };
        if matching.is_empty() {
            unread.files = true;
            findings.error(site, format!("no file matches `{pattern}`")).help("create it, or remove it from `include`");
        }
        for file in matching {
            self.include_file(site, &file);
        }
    }

    fn include_file(&mut self, site: &Site, path: &Path) {
        if self.seen.is_empty() {
            self.seen.extend(self.loaded.sources.path(site.file).canonicalize());
        }
        let findings = &mut self.loaded.findings;
        let Ok(file) = path.canonicalize() else {
            findings.error(site, format!("`{}` cannot be read", path.display()));
            self.loaded.unread.files = true;
            return;
        };
        if self.seen.contains(&file) {
            findings
                .error(site, format!("`{}` is included twice, or includes itself", path.display()))
                .help("include each file once");
        } else if self.seen.len() == FILES_MAX {
            findings.error(site, format!("there are more than {FILES_MAX} files"));
            self.loaded.unread.files = true;
        } else {
            self.seen.push(file);
            self.read_file(path, Some(site));
        }
    }
}

/// The folder below which everything is that a pattern can match.
fn fixed_part(folder: &Path, pattern: &str) -> PathBuf {
    let fixed = pattern.split_inclusive('/').take_while(|part| !part.contains(['*', '?', '[']) && part.ends_with('/'));
    folder.join(fixed.collect::<String>())
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.bytes().all(allowed)
}

/// The remedy for text that is not TOML.
fn toml_help(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "keep one of the two"
    } else if message.contains("must be quoted") {
        "write text in quotes"
    } else if message.contains("string") {
        "end the text with the quote that it began with"
    } else {
        "correct it here, or what it follows on the lines before"
    }
}

/// The remedy for a key that means nothing.
fn known(names: &[String]) -> String {
    if names.is_empty() {
        return "remove it".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("remove it, or use one of {}", names.join(", "))
}

/// Our messages begin in lower case and are one line.
fn lower(message: &str) -> String {
    let message = message.trim_end().replace('\n', ", ");
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
