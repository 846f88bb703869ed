//! Takes secrets away while the rest of a configuration cannot be used.
//!
//! A key that leaked must stop to verify although somebody broke a route in
//! the same minute. So what can still be read of the configuration and of the
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

/// A secret that verifies nothing any more, or not as long as before.
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

impl Config {
    /// Withdraws the secrets that are gone, and says which.
    ///
    /// A secret is gone when its file is, or has something else in it; when
    /// the configuration no longer declares it; and from its `until`. A file
    /// that cannot be read, or is not TOML, says nothing of what it declares:
    /// then only the files of the secrets count.
    pub fn withdraw(&mut self) -> Vec<Withdrawn> {
        let loaded = load::load(&self.path);
        let mut withdrawn = Vec::new();
        for mut secret in std::mem::take(&mut self.keys.secrets) {
            let Some(key) = self.keys.ring.get_mut(&secret.key) else { continue };
            let because = match Claim::of(&secret, &loaded) {
                Claim::None => Some(Because::Undeclared),
                Claim::Entry { file: Some(file), encoding, .. } if has_left(&file, encoding, &secret.fingerprint) => {
                    Some(Because::Left)
                }
                Claim::Entry { until: Some(until), .. } if secret.until.is_none_or(|before| until < before) => {
                    key.end(&secret.id, until);
                    secret.until = Some(until);
                    Some(Because::EndsSooner)
                }
                Claim::Entry { .. } => None,
            };
            if let Some(because) = because {
                withdrawn.push(Withdrawn { key: secret.key.clone(), secret: secret.id.clone(), because });
            }
            match because {
                Some(Because::Undeclared | Because::Left) => key.withdraw(&secret.id),
                Some(Because::EndsSooner) | None => self.keys.secrets.push(secret),
            }
        }
        withdrawn
    }
}

/// What is said of a secret now.
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
            let is_unread = unread.files || unread.entries.contains(&("key", secret.key.clone()));
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
