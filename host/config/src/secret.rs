//! Reads secrets. They are wiped from memory once the key has its schedule.

use crate::document::Encoding;
use crate::files::Files;
use barmkin_files::Exposure;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a secret's text: a file that is longer is some other file.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// The bytes of a secret, or its text.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// Something about a secret's source, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Where a secret is.
pub(crate) enum Source<'s> {
    File(&'s str),
    Environment(&'s str),
}

impl<'s> Source<'s> {
    pub(crate) fn parse(from: &'s str) -> Result<Self, Remark> {
        match from.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path)),
            Some(("env", variable)) if !variable.is_empty() => Ok(Self::Environment(variable)),
            _ => Err(Remark {
                message: format!("`{from}` does not say where the secret is"),
                help: "write `file:` and a path, or `env:` and the name of a variable".to_owned(),
            }),
        }
    }
}

/// Reads a secret's text from a file, and what should be said about the file.
pub(crate) fn from_file(path: &Path, files: &mut Files) -> Result<(SecretBytes, Vec<Remark>), Remark> {
    let (mut text, remark) = read(path, files)?;
    let mut remarks = remark.into_iter().collect::<Vec<_>>();
    if trim_newline(&mut text) {
        let shown = path.display();
        remarks.push(Remark {
            message: format!("secret file `{shown}` ends with a newline, which is not taken as part of the secret"),
            help: "write the file without it, for example with `printf %s`".to_owned(),
        });
    }
    Ok((text, remarks))
}

/// Reads a file that is secret, whatever is in it, and what should be said about
/// its permissions.
pub(crate) fn read(path: &Path, files: &mut Files) -> Result<(SecretBytes, Option<Remark>), Remark> {
    // It is noted even where it must not be used: that may be fixed.
    let read = files.read_if(path, SECRET_BYTES_MAX, |metadata| check_mode(path, metadata));
    let (text, mode) = read.map(|(text, mode)| (Zeroizing::new(text), mode)).map_err(|error| Remark {
        message: format!("secret file `{}` cannot be read: {error}", path.display()),
        help: "create it, readable by the user that runs barmkin".to_owned(),
    })?;
    Ok((text, mode?))
}

/// Whether `path` no longer has the secret that it had: there is no file, it
/// holds something else, or what is there is not such a file. A file that cannot
/// be read says nothing.
pub(crate) fn has_left(path: &Path, encoding: Encoding, fingerprint: &Fingerprint) -> bool {
    match barmkin_files::read(path, SECRET_BYTES_MAX) {
        Ok(text) => {
            let mut text = Zeroizing::new(text);
            trim_newline(&mut text);
            decode(&text, encoding).map_or(true, |secret| Fingerprint::of(&secret) != *fingerprint)
        }
        Err(error) => barmkin_files::is_absent(&error),
    }
}

/// Tells a secret from another without keeping it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

/// Removes the newline that editors add, and says whether there was one.
pub(crate) fn trim_newline(text: &mut SecretBytes) -> bool {
    let newline = if text.ends_with(b"\r\n") { 2 } else { usize::from(text.ends_with(b"\n")) };
    let length = text.len() - newline;
    text.truncate(length);
    newline > 0
}

/// Reads a secret's text from the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads secrets from the environment")]
pub(crate) fn from_environment(variable: &str) -> Result<SecretBytes, Remark> {
    let problem = |problem| Remark {
        message: format!("environment variable `{variable}` {problem}"),
        help: "set it in the environment of barmkin".to_owned(),
    };
    match std::env::var(variable) {
        Ok(text) => Ok(Zeroizing::new(text.into_bytes())),
        Err(std::env::VarError::NotPresent) => Err(problem("is not set")),
        Err(std::env::VarError::NotUnicode(_)) => Err(problem("is not UTF-8")),
    }
}

/// Whether `text` is written as Standard Webhooks' secrets are, and Stripe's.
pub(crate) fn is_prefixed(text: &[u8]) -> bool {
    text.starts_with(b"whsec_") || text.starts_with(b"whpk_")
}

/// The secret that `text` stands for.
pub(crate) fn decode(text: &SecretBytes, encoding: Encoding) -> Result<SecretBytes, Remark> {
    let (bytes, name) = match encoding {
        Encoding::Utf8 => return Ok(text.clone()),
        Encoding::Hex => (hex::decode(text).ok(), "hexadecimal digits"),
        // Its `_` would be read as base64 for URLs.
        Encoding::Base64 => (base64(text).filter(|_| !is_prefixed(text)), "base64"),
        Encoding::Whsec => {
            let key = text.strip_prefix(b"whsec_").or_else(|| text.strip_prefix(b"whpk_"));
            (key.and_then(base64), "base64 after `whsec_` or `whpk_`")
        }
    };
    bytes.map(Zeroizing::new).ok_or_else(|| Remark {
        message: format!("the secret is not written in {name}"),
        help: "correct the secret, or the key's `encoding`".to_owned(),
    })
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    // Providers hand out all of these forms.
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}

fn check_mode(path: &Path, metadata: &Metadata) -> Result<Option<Remark>, Remark> {
    let Some(exposure) = Exposure::of(metadata) else { return Ok(None) };
    let message = format!("secret file `{}` {exposure}", path.display());
    let remark = Remark { message, help: exposure.remedy(path) };
    if exposure.is_bearable() { Ok(Some(remark)) } else { Err(remark) }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, decode};
    use zeroize::Zeroizing;

    fn read(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
        decode(&Zeroizing::new(text.into()), encoding).ok().map(|secret| secret.to_vec())
    }

    #[test]
    fn secrets_are_decoded_as_the_operator_says() {
        assert_eq!(read("whsec_MfKQ", Encoding::Utf8).as_deref(), Some(&b"whsec_MfKQ"[..]));
        assert_eq!(read("whsec_MfKQ", Encoding::Whsec), Some(vec![0x31, 0xf2, 0x90]));
        assert_eq!(read("whpk_MfKQ", Encoding::Whsec), Some(vec![0x31, 0xf2, 0x90]));
        assert_eq!(read("MfKQ", Encoding::Whsec), None);
        assert_eq!(read("-_8", Encoding::Base64), Some(vec![0xfb, 0xff]));
        assert_eq!(read("+/8=", Encoding::Base64), Some(vec![0xfb, 0xff]));
        assert_eq!(read("+/8 ", Encoding::Base64), None);
        assert_eq!(read("00fF", Encoding::Hex), Some(vec![0, 0xff]));
        assert_eq!(read("0", Encoding::Hex), None);
    }
}
