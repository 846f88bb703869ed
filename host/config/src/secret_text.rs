//! Secrets that were copied together with something else.
//!
//! HMAC takes such a secret like any other, and then nothing ever verifies. Each
//! form here is one in which secrets were found in files and variables: a text that
//! cannot be meant is refused, and named. A secret that really has such a form can be
//! written in another `encoding`.

use crate::secret::{Remark, SecretBytes};
use barmkin_host::misleads;

/// Judges the text of a secret, without the newline at its end.
///
/// # Errors
/// Names the part that cannot belong to a secret.
pub(crate) fn judge(text: &SecretBytes) -> Result<(), Remark> {
    let refuse = |problem: &str, help: &str| {
        let help = format!("{help}; a secret that really is so can be written with `encoding = \"hex\"`");
        Err(Remark { message: format!("the secret {problem}"), help })
    };
    let text = text.as_slice();
    if text.starts_with(b"\xef\xbb\xbf") || text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return refuse("begins with a byte order mark", "save it as plain text, for example with `printf %s`");
    }
    if text.ends_with(b"\n") || text.ends_with(b"\r") {
        return refuse("ends with an empty line", "write it without newlines, for example with `printf %s`");
    }
    let is_odd = |end: char| end.is_whitespace() || end.is_control() || misleads(end);
    let unseen = std::str::from_utf8(text).is_ok_and(|text| text.starts_with(is_odd) || text.ends_with(is_odd));
    if unseen || text.trim_ascii().len() != text.len() {
        return refuse("begins or ends with white space", "take that away");
    }
    if text.contains(&b'\n') {
        return refuse("has more than one line", "keep one secret in one file or variable, and nothing else");
    }
    if let [quote @ (b'"' | b'\''), .., last] = text
        && quote == last
    {
        return refuse("is in quotes", "take them away");
    }
    if let Some(name) = assigned(text) {
        return refuse(&format!("begins with `{name}=`"), "keep what follows, and nothing else");
    }
    Ok(())
}

/// The variable that `text` assigns, as a file of variables would: of capitals,
/// or behind `export`.
fn assigned(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let (name, value) = text.split_once('=')?;
    let (name, exported) = name.strip_prefix("export ").map_or((name, false), |name| (name, true));
    let is_name = |of: fn(&char) -> bool| !name.is_empty() && name.chars().all(|char| of(&char) || char == '_');
    let is_variable = if exported {
        is_name(char::is_ascii_alphanumeric)
    } else {
        // Base64 has `=` at its end only.
        name.contains('_') && is_name(|char| char.is_ascii_uppercase() || char.is_ascii_digit())
    };
    (is_variable && !value.trim_start_matches('=').is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use zeroize::Zeroizing;

    #[test]
    fn what_was_copied_with_a_secret_is_named() {
        for (text, problem) in [
            ("\u{feff}secret", "begins with a byte order mark"),
            ("secret\n", "ends with an empty line"),
            ("secret\r", "ends with an empty line"),
            (" secret", "begins or ends with white space"),
            ("secret\t", "begins or ends with white space"),
            ("secret\u{a0}", "begins or ends with white space"),
            ("secret\u{200b}", "begins or ends with white space"),
            ("secret\0", "begins or ends with white space"),
            ("secret\nanother", "has more than one line"),
            ("\"secret\"", "is in quotes"),
            ("'secret'", "is in quotes"),
            ("GITHUB_SECRET=secret", "begins with `GITHUB_SECRET=`"),
            ("export secret=secret", "begins with `secret=`"),
        ] {
            let remark = judge(&Zeroizing::new(text.into())).unwrap_err();
            assert_eq!(remark.message, format!("the secret {problem}"), "{text}");
        }
    }

    #[test]
    fn other_secrets_are_taken() {
        for text in ["secret", "c2VjcmV0cw==", "ABC=", "A_B==", "a b", "it's", "\"", "A=b", "x_y=z", "whsec_MfKQ", ""] {
            assert!(judge(&Zeroizing::new(text.into())).is_ok(), "{text}");
        }
    }
}
