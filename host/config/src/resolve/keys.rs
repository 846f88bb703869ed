use crate::config::Secrets;
use crate::document::{self, Encoding, Entry, KeyAlgorithm};
use crate::resolve::Context;
use crate::secret::{self, Fingerprint, Remark, SecretBytes, Source};
use crate::secret_text;
use crate::source::{Site, Sources};
use barmkin_host::{Algorithm, Key, KeyError, KeyRing};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Stands for an Ed25519 public key that is not read: the encoding of the
/// curve's base point (RFC 8032, section 5.1).
const BASE_POINT: [u8; 32] = {
    let mut point = [0x66; 32];
    point[0] = 0x58;
    point
};

/// Keys, and how to tell whether their secrets are still where they were.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    pub(crate) secrets: Vec<Secret>,
}

/// A secret that was read.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) key: String,
    pub(crate) id: String,
    /// Its file; `None` if it comes from the environment.
    pub(crate) file: Option<PathBuf>,
    pub(crate) encoding: Encoding,
    pub(crate) until: Option<Duration>,
    pub(crate) fingerprint: Fingerprint,
    /// The file that declares its key.
    pub(crate) declared_in: PathBuf,
    /// Whether its text begins with `whsec_` or `whpk_`.
    pub(crate) is_prefixed: bool,
}

pub(super) fn resolve(declared: &BTreeMap<String, Entry<document::Key>>, context: &mut Context<'_>) -> Keys {
    declared.iter().fold(Keys::default(), |mut keys, (name, entry)| {
        let key = resolve_key(name, entry, &mut keys.secrets, context);
        Keys { ring: keys.ring.with(name, key), ..keys }
    })
}

/// The key of that name alone.
pub(crate) fn resolve_one(
    name: &str,
    declared: &BTreeMap<String, Entry<document::Key>>,
    context: &mut Context<'_>,
) -> Option<Key> {
    declared.get(name).map(|entry| resolve_key(name, entry, &mut Vec::new(), context))
}

fn resolve_key(name: &str, entry: &Entry<document::Key>, secrets: &mut Vec<Secret>, context: &mut Context<'_>) -> Key {
    let Entry { site, value: declared } = entry;
    let mut key = Key::new(algorithm(declared.algorithm));
    if declared.secrets.is_empty() {
        context.findings.error(site.key("secrets"), format!("key `{name}` has no secret")).help("give it at least one");
    }
    let mut ids = BTreeSet::new();
    for (index, secret) in declared.secrets.iter().enumerate() {
        let site = site.key("secrets").item(index);
        if !ids.insert(&secret.id) {
            context
                .findings
                .error(site.key("id"), format!("key `{name}` has two secrets with the id `{}`", secret.id))
                .help("give each an id of its own: logs name secrets by it");
        }
        let until = context.read(site.key("until"), secret.until.as_ref());
        if until.is_some_and(|until| until <= context.options.now) {
            context
                .findings
                .warning(site.key("until"), format!("secret `{}` is past its `until` and verifies nothing", secret.id))
                .help("remove it");
        }
        let Some((bytes, is_prefixed)) = read(secret, declared, &site, context) else { continue };
        secrets.push(Secret {
            key: name.to_owned(),
            id: secret.id.clone(),
            file: file_of(secret, &site, context.sources),
            encoding: declared.encoding,
            until,
            fingerprint: Fingerprint::of(&bytes),
            declared_in: context.sources.path(site.file).to_owned(),
            is_prefixed,
        });
        match key.clone().with_secret(&secret.id, &bytes, until) {
            Ok(with_secret) => key = with_secret,
            Err(error) => report(&error, declared.encoding, &site, context),
        }
    }
    key
}

/// The file that a secret is in, if it is in one.
pub(crate) fn file_of(secret: &document::Secret, site: &Site, sources: &Sources) -> Option<PathBuf> {
    match Source::parse(&secret.from) {
        Ok(Source::File(path)) => Some(sources.beside(site.file, path)),
        Ok(Source::Environment(_)) | Err(_) => None,
    }
}

/// A secret, and whether its text begins with `whsec_` or `whpk_`.
fn read(
    secret: &document::Secret,
    key: &document::Key,
    site: &Site,
    context: &mut Context<'_>,
) -> Option<(SecretBytes, bool)> {
    let site = site.key("from");
    let bytes = Source::parse(&secret.from).and_then(|source| {
        if context.options.secrets == Secrets::Placeholders {
            return Ok((Zeroizing::new(placeholder(key.algorithm)), false));
        }
        let text = read_text(&source, &secret.id, &site, context)?;
        Ok((secret::decode(&text, key.encoding)?, secret::is_prefixed(&text)))
    });
    match bytes {
        Ok(bytes) => Some(bytes),
        Err(Remark { message, help }) => {
            context.findings.error(site, message).help(help);
            None
        }
    }
}

pub(super) fn read_text(
    source: &Source<'_>,
    id: &str,
    site: &Site,
    context: &mut Context<'_>,
) -> Result<SecretBytes, Remark> {
    let text = match source {
        Source::File(path) => {
            let (text, remarks) = secret::from_file(&context.sources.beside(site.file, path), context.files)?;
            for Remark { message, help } in remarks {
                context.findings.warning(site, message).help(help);
            }
            text
        }
        Source::Environment(variable) => {
            context
                .findings
                .warning(site, format!("secret `{id}` comes from the environment, so changing it needs a restart"))
                .help("keep it in a file to rotate it while traffic flows");
            let mut text = secret::from_environment(variable)?;
            if secret::trim_newline(&mut text) {
                let message =
                    format!("environment variable `{variable}` ends with a newline, which is not taken as part of it");
                context.findings.warning(site, message).help("set it without one");
            }
            text
        }
    };
    secret_text::judge(&text)?;
    Ok(text)
}

fn report(error: &KeyError, encoding: Encoding, site: &Site, context: &mut Context<'_>) {
    let help = match error {
        KeyError::Empty { .. } => "put the secret there: with an empty key anybody can sign",
        KeyError::Malformed { .. } if encoding == Encoding::Utf8 => {
            "say in the key's `encoding` how its 32 bytes are written"
        }
        KeyError::Malformed { .. } => "it must be the 32 bytes of the public key",
        _ => "remove the oldest",
    };
    context.findings.error(site.key("from"), error.to_string()).help(help);
}

fn placeholder(algorithm: KeyAlgorithm) -> Vec<u8> {
    match algorithm {
        KeyAlgorithm::Ed25519 => BASE_POINT.to_vec(),
        _ => b"placeholder".to_vec(),
    }
}

fn algorithm(algorithm: KeyAlgorithm) -> Algorithm {
    match algorithm {
        KeyAlgorithm::HmacSha1 => Algorithm::HmacSha1,
        KeyAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        KeyAlgorithm::HmacSha512 => Algorithm::HmacSha512,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
        KeyAlgorithm::KeyedHashSha256 => Algorithm::KeyedHashSha256,
    }
}
