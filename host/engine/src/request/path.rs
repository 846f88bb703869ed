//! One reading of a path, or none.
//!
//! [`barmkin_path`] has the rules for everything that is ASCII. For other
//! characters there are more: those that some backend could take for an ASCII
//! one, and invisible ones, are refused, and all that can be composed is (NFC),
//! since file systems do not tell the two apart.

use crate::limits::TARGET_BYTES_MAX;
use crate::reason::{HostReason, Refusal};
use crate::request::characters::{check_characters, first_ambiguous, fold};
use barmkin_path::Fault;
use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A path in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CanonicalPath {
    form: Form,
    /// With everything folded that backends may fold; `None` where that is
    /// the case of ASCII letters alone.
    folded: Option<String>,
    excepted: Option<Box<Excepted>>,
}

/// The parts of a path that can be read in several ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excepted {
    /// It has encoded slashes.
    pub(crate) encoded_slashes: bool,
    /// It has empty segments, once those are decoded.
    pub(crate) empty_segments: bool,
    /// The whole segments before all of that, in normal form.
    pub(crate) plain: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// It was in normal form: this many bytes of the target.
    AsReceived(usize),
    Rewritten(String),
}

impl CanonicalPath {
    /// The path of a request target (path and query).
    pub(crate) fn of(target: &str) -> Result<Self, HostReason> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(HostReason::TargetTooLong);
        }
        if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(HostReason::MalformedTarget);
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let normal = barmkin_path::normalize(path).map_err(reason)?;
        let is_ascii =
            !normal.split('%').skip(1).any(|rest| rest.starts_with(|digit| matches!(digit, '8'..='9' | 'A'..='F')));
        let (normal, folded) = if is_ascii { (normal, None) } else { unicode(normal)? };
        let form = if normal == path { Form::AsReceived(path.len()) } else { Form::Rewritten(normal.into_owned()) };
        Ok(Self { form, folded, excepted: None })
    }

    /// The path of a request target that was refused for `reason`, if it has one reading
    /// once encoded slashes are decoded and empty segments are gone.
    pub(crate) fn of_excepted(target: &str, reason: HostReason) -> Result<Self, HostReason> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let flat = barmkin_path::flatten(path).filter(|_| reason == HostReason::AmbiguousPath).ok_or(reason)?;
        let reading = Self::of(&flat.path)?;
        let plain =
            if flat.plain.is_empty() { String::new() } else { Self::of(flat.plain)?.as_str(flat.plain).to_owned() };
        let excepted = Excepted { encoded_slashes: flat.encoded_slashes, empty_segments: flat.empty_segments, plain };
        Ok(Self {
            form: Form::Rewritten(reading.as_str(&flat.path).to_owned()),
            folded: reading.folded,
            excepted: Some(Box::new(excepted)),
        })
    }

    /// Its parts that can be read in several ways.
    pub(crate) fn excepted(&self) -> Option<&Excepted> {
        self.excepted.as_deref()
    }

    /// The path. `target` is what it was made of.
    pub(crate) fn as_str<'a>(&'a self, target: &'a str) -> &'a str {
        match &self.form {
            Form::AsReceived(len) => target.get(..*len).unwrap_or_default(),
            Form::Rewritten(path) => path,
        }
    }

    /// The path, such that two which some backend does not tell apart differ in
    /// the case of ASCII letters at most.
    pub(crate) fn folded<'a>(&'a self, target: &'a str) -> &'a str {
        self.folded.as_deref().unwrap_or_else(|| self.as_str(target))
    }
}

/// The normal form of a path that a route names, and what it folds to: lower
/// case. `None` where no request can have it.
pub(crate) fn of_route(path: &str) -> Option<(String, String)> {
    if path.contains('?') {
        return None;
    }
    let canonical = CanonicalPath::of(path).ok()?;
    Some((canonical.as_str(path).to_owned(), canonical.folded(path).to_ascii_lowercase()))
}

/// The normal form of a path with other characters than ASCII, and what it
/// folds to.
fn unicode(normal: Cow<'_, str>) -> Result<(Cow<'_, str>, Option<String>), HostReason> {
    let text = barmkin_path::decode(&normal).map_err(reason)?;
    check_characters(&text)?;
    let folded = Some(barmkin_path::encode(&fold(&text)));
    if is_nfc(&text) {
        return Ok((normal, folded));
    }
    Ok((Cow::Owned(barmkin_path::encode(&text.nfc().collect::<String>())), folded))
}

/// Says for the operator which byte of a target that was refused is to blame.
pub(super) fn explain(reason: HostReason, target: &str) -> Refusal {
    if reason == HostReason::TargetTooLong {
        return reason.because(format!("the target has {} bytes", target.len()));
    }
    if let Some(at) = target.bytes().position(|byte| !byte.is_ascii_graphic() || byte == b'#') {
        return reason.because(format!("byte {} of the target is not allowed in a target", at + 1));
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let (at, why) = match barmkin_path::locate(path) {
        Some((at, why)) => (at, why.to_owned()),
        None => {
            let text = barmkin_path::decode(path).unwrap_or_default();
            let Some(char) = first_ambiguous(&text) else { return reason.into() };
            // Nothing but ASCII stands in a path as it is.
            let before: String = text.chars().take_while(|other| *other != char).collect();
            let why = format!("U+{:04X}, which backends may read as another character, or ignore", u32::from(char));
            (barmkin_path::locate_decoded(path, before.len()), why)
        }
    };
    reason.because(format!("byte {} of the path: {why}", at + 1))
}

fn reason(fault: Fault) -> HostReason {
    match fault {
        Fault::Malformed => HostReason::MalformedTarget,
        Fault::Ambiguous => HostReason::AmbiguousPath,
    }
}

#[cfg(test)]
mod tests {
    use super::CanonicalPath;
    use crate::reason::HostReason;
    use proptest::prelude::*;

    fn canonical(target: &str) -> Result<String, HostReason> {
        CanonicalPath::of(target).map(|path| path.as_str(target).to_owned())
    }

    #[test]
    fn equal_paths_have_one_form() {
        for (target, path) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61dmin?x=%2f", "/admin"),
            ("/keys%3Arotate", "/keys:rotate"),
            ("/public/a%20b", "/public/a%20b"),
            ("/public/caf%c3%a9", "/public/caf%C3%A9"),
            // As macOS writes it.
            ("/public/cafe%cc%81", "/public/caf%C3%A9"),
            ("/a%25?", "/a%25"),
            ("/v1/@me/*/x:y,z", "/v1/@me/*/x:y,z"),
            ("/v1/%40me/%2A/x%3ay%2cz", "/v1/@me/*/x:y,z"),
        ] {
            assert_eq!(canonical(target).as_deref(), Ok(path), "{target}");
        }
    }

    #[test]
    fn paths_with_two_readings_are_refused() {
        for target in [
            "/a/../b",
            "/a/%2e%2E/b",
            "//a",
            "/a//",
            "/a%2fb",
            "/a\\b",
            "/a;x=1/b",
            "/a%3bx",
            "/a%00",
            "/%2561",
            "/%25%36%31dmin",
            "/%c0%ae",
            "/%ef%bc%8fadmin",
            "/adm%C4%B1n",
            "/%E2%84%AAey",
            "/a%3Fb",
            "/%C3a%A9",
        ] {
            assert_eq!(canonical(target).err(), Some(HostReason::AmbiguousPath), "{target}");
        }
        for target in ["", "*", "a", "http://a/b", "ftp://a/b", "/a b", "/a#b", "/%", "/%zz", "/é", "/a\u{0}", "/{a}"]
        {
            assert_eq!(canonical(target).err(), Some(HostReason::MalformedTarget), "{target}");
        }
    }

    #[test]
    fn what_is_excepted_is_decoded_and_merged_and_nothing_else_is() {
        let excepted = |target: &str| {
            CanonicalPath::of_excepted(target, HostReason::AmbiguousPath).map(|path| {
                let excepted = path.excepted().unwrap();
                let flags = (excepted.encoded_slashes, excepted.empty_segments);
                (path.as_str(target).to_owned(), flags, excepted.plain.clone())
            })
        };
        for (target, flat, flags, plain) in [
            ("/a/b%2Fc", "/a/b/c", (true, false), "/a"),
            ("/a/b%2fc/%64?x=%2F", "/a/b/c/d", (true, false), "/a"),
            ("/%61/b//c", "/a/b/c", (false, true), "/a/b"),
            ("/a//", "/a/", (false, true), "/a"),
            ("/a%2F", "/a/", (true, false), ""),
            ("/a/%2Fb", "/a/b", (true, true), "/a"),
            ("//a", "/a", (false, true), ""),
            ("/caf%C3%A9/x//y", "/caf%C3%A9/x/y", (false, true), "/caf%C3%A9/x"),
        ] {
            assert_eq!(excepted(target), Ok((flat.to_owned(), flags, plain.to_owned())), "{target}");
        }
        for target in [
            "/a/b",
            "/a/../b%2Fc",
            "/a/b%2F..%2Fc",
            "/a//%2e%2e/b",
            "/a/b%252Fc",
            "/a//b;c",
            "/a//b\\c",
            "/a/%2F%00",
            "/a//%2561",
            "/a/b%2F.%2Fc",
            "/a/%c0%af",
            "/a/%ef%bc%8f//",
        ] {
            assert_eq!(excepted(target), Err(HostReason::AmbiguousPath), "{target}");
        }
    }

    /// Bytes of every kind, encoded, bare, and encoded twice.
    fn targets() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => any::<u8>().prop_map(|byte| format!("%{byte:02X}")),
            2 => any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
            2 => any::<u8>().prop_map(|byte| format!("%25{byte:02X}")),
            2 => any::<char>().prop_map(|char| barmkin_path::encode(&char.to_string())),
            2 => "%(25|2[0-9a-fA-F]|3[0-9a-fA-F]|CC%8[0-9a-f]|C3%A9)",
            2 => "[0-9a-fA-F]{1,2}",
            2 => "[!-~]",
        ];
        proptest::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]

        #[test]
        fn the_normal_form_is_its_own_normal_form(target in targets()) {
            if let Ok(path) = canonical(&target) {
                prop_assert_eq!(canonical(&path), Ok(path.clone()));
            }
        }

        /// A backend reads what was sent as it reads the normal form.
        #[test]
        fn the_normal_form_decodes_to_the_same_text(target in targets()) {
            use unicode_normalization::UnicodeNormalization;
            if let Ok(path) = canonical(&target) {
                let sent = target.split('?').next().unwrap_or_default();
                let read = |path: &str| {
                    let text = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
                    text.nfc().collect::<String>()
                };
                prop_assert_eq!(read(sent), read(&path));
                // And there is nothing left to decode.
                prop_assert_eq!(read(&read(&path)), read(&path));
            }
        }
    }
}
