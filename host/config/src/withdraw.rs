//! Takes secrets away while the rest of a configuration cannot be used.
//!
//! A key that leaked must stop verifying although somebody broke a route in
//! the same minute, or something else is being compiled. So what can still be read of the configuration and of the
//! files of its secrets is compared with what was read when it was whole, and
//! what has gone is withdrawn. Nothing is ever added this way: that takes a
//! configuration that is right.

use crate::config::Config;
use crate::document::Encoding;
use crate::load::{self, Loaded};
use crate::resolve::{Secret, file_of};
use crate::secret::has_left;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A secret that no longer verifies anything, or for less long than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The key.
    pub key: String,
    /// The secret's id.
    pub secret: String,
    /// Why.
    pub because: Because,
}

/// Why a secret is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Its key, or its entry there, was removed.
    Undeclared,
    /// Its file is gone, or has something else in it.
    Left,
    /// Its `until` is sooner.
    EndsSooner,
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, secret, because } = self;
        let because = match because {
            Because::Undeclared => "it is no longer declared",
            Because::Left => "its file no longer has it",
            Because::EndsSooner => "its `until` is sooner",
        };
        write!(f, "secret `{secret}` of key `{key}`: {because}")
    }
}

/// The secrets of a configuration, and where each of them was: enough to tell
/// which have gone, without what they are.
#[derive(Clone)]
pub struct Whereabouts {
    path: PathBuf,
    secrets: Vec<Secret>,
}

/// The secrets that have gone, as [`Whereabouts::look`] found it.
pub struct Gone(Vec<(Secret, Why)>);

/// Why, and since when.
enum Why {
    Withdrawn(Because),
    Ends(Duration),
}

impl Whereabouts {
    /// Reads the configuration and the files of the secrets, and tells which
    /// secrets have gone.
    ///
    /// A secret is gone when its file is, or has something else in it; when
    /// the configuration no longer declares it; and from its `until`. A file
    /// that cannot be read, or is not TOML, says nothing of what it declares:
    /// then only the files of the secrets count.
    pub fn look(&self) -> Gone {
        let loaded = load::load(&self.path);
        let gone = self.secrets.iter().filter_map(|secret| {
            let why = match Claim::of(secret, &loaded) {
                Claim::None => Why::Withdrawn(Because::Undeclared),
                Claim::Entry { file: Some(file), encoding, .. } if has_left(&file, encoding, &secret.fingerprint) => {
                    Why::Withdrawn(Because::Left)
                }
                Claim::Entry { until: Some(until), .. } if secret.until.is_none_or(|before| until < before) => {
                    Why::Ends(until)
                }
                Claim::Entry { .. } => return None,
            };
            Some((secret.clone(), why))
        });
        Gone(gone.collect())
    }
}

impl Gone {
    /// Whether no secret has gone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Config {
    /// The secrets in force, and where each of them was.
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts { path: self.path.clone(), secrets: self.keys.secrets.clone() }
    }

    /// Withdraws the secrets that are gone, and says which: see
    /// [`Whereabouts::look`].
    pub fn withdraw(&mut self) -> Vec<Withdrawn> {
        let gone = self.whereabouts().look();
        self.withdraw_gone(&gone)
    }

    /// Withdraws those of `gone` that this configuration has, and says which.
    pub fn withdraw_gone(&mut self, gone: &Gone) -> Vec<Withdrawn> {
        let mut withdrawn = Vec::new();
        for (gone, why) in &gone.0 {
            let is_it = |secret: &Secret| {
                secret.key == gone.key && secret.id == gone.id && secret.fingerprint == gone.fingerprint
            };
            let Some(index) = self.keys.secrets.iter().position(is_it) else { continue };
            let Some(key) = self.keys.ring.get_mut(&gone.key) else { continue };
            let because = match why {
                Why::Withdrawn(because) => {
                    key.withdraw(&gone.id);
                    self.keys.secrets.remove(index);
                    *because
                }
                Why::Ends(until) => {
                    key.end(&gone.id, *until);
                    if let Some(secret) = self.keys.secrets.get_mut(index) {
                        secret.until = Some(*until);
                    }
                    Because::EndsSooner
                }
            };
            withdrawn.push(Withdrawn { key: gone.key.clone(), secret: gone.id.clone(), because });
        }
        withdrawn
    }
}

/// The present declaration of a secret.
enum Claim {
    /// It is not declared.
    None,
    /// It is, or nothing can be said of that and it stays as it was.
    Entry { file: Option<PathBuf>, encoding: Encoding, until: Option<Duration> },
}

impl Claim {
    fn of(secret: &Secret, loaded: &Loaded) -> Self {
        let unread = &loaded.unread;
        let unchanged = || Self::Entry { file: secret.file.clone(), encoding: secret.encoding, until: secret.until };
        let Some(key) = loaded.document.keys.get(&secret.key) else {
            // The file is there, and a slip in `include` leaves it out.
            let is_left_out = !loaded.sources.has(&secret.declared_in) && secret.declared_in.is_file();
            let is_unread = unread.files || is_left_out || unread.entries.contains(&("key", secret.key.clone()));
            return if is_unread { unchanged() } else { Self::None };
        };
        let mut declared = key.value.secrets.iter().filter(|declared| declared.id == secret.id);
        let Some(declared) = declared.next() else { return Self::None };
        Self::Entry {
            file: file_of(declared, &key.site, &loaded.sources),
            encoding: key.value.encoding,
            until: declared.until.as_ref().and_then(|until| until.read().ok()).or(secret.until),
        }
    }
}
