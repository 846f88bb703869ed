//! Where the key is in a request.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Longer than any key in use, and short enough to be hashed in no time.
const KEY_BYTES_MAX: usize = 512;

/// Where the key is.
#[derive(Debug)]
pub(crate) enum Credential {
    /// In a header of its own.
    Header(String),
    /// In the credentials of Basic authentication.
    Basic(BasicPart),
}

/// Which part of `user:password` is the key. The other is not looked at: many
/// clients can send a key only with an empty or a made-up one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BasicPart {
    User,
    Password,
}

impl Credential {
    /// The name of the header.
    pub(crate) fn header(&self) -> &str {
        match self {
            Self::Header(name) => name,
            Self::Basic(_) => "authorization",
        }
    }

    /// What a client without a key is told (RFC 9110, section 11.6.1).
    pub(crate) fn challenge(&self) -> String {
        match self {
            Self::Header(name) => format!("ApiKey header=\"{name}\""),
            Self::Basic(_) => "Basic realm=\"api\", charset=\"UTF-8\"".to_owned(),
        }
    }

    /// The key in the value of the header, or the code of the denial.
    pub(crate) fn key<'a>(&self, value: Option<&'a str>) -> Result<Cow<'a, str>, &'static str> {
        let value = value.filter(|value| !value.is_empty()).ok_or("missing-api-key")?;
        let key = match self {
            Self::Header(_) => Cow::Borrowed(value),
            Self::Basic(part) => basic(value, *part)?,
        };
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() {
            Err("missing-api-key")
        } else if !visible || key.len() > KEY_BYTES_MAX {
            Err("malformed-api-key")
        } else {
            Ok(key)
        }
    }
}

/// RFC 7617, section 2: the user ends at the first colon, and the scheme is
/// read in any case (RFC 9110, section 11.1).
fn basic(value: &str, part: BasicPart) -> Result<Cow<'static, str>, &'static str> {
    let (scheme, encoded) = value.split_once(' ').ok_or("missing-api-key")?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("missing-api-key");
    }
    let decoded = STANDARD.decode(encoded.trim_start_matches(' ')).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or("malformed-api-key")?;
    let (user, password) = decoded.split_once(':').ok_or("malformed-api-key")?;
    Ok(Cow::Owned(match part {
        BasicPart::User => user.to_owned(),
        BasicPart::Password => password.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: Credential = Credential::Basic(BasicPart::Password);

    #[test]
    fn the_password_may_have_colons() {
        let value = format!("bAsIc {}", STANDARD.encode("user:a:b"));
        assert_eq!(PASSWORD.key(Some(&value)).as_deref(), Ok("a:b"));
    }

    #[test]
    fn another_scheme_is_no_key() {
        assert_eq!(PASSWORD.key(Some("Bearer abc")), Err("missing-api-key"));
        assert_eq!(PASSWORD.key(Some("Basic")), Err("missing-api-key"));
        assert_eq!(PASSWORD.key(Some("Basic !")), Err("malformed-api-key"));
    }

    #[test]
    fn a_key_has_at_most_512_visible_bytes() {
        let header = Credential::Header("x-api-key".to_owned());
        assert!(header.key(Some(&"k".repeat(512))).is_ok());
        assert_eq!(header.key(Some(&"k".repeat(513))), Err("malformed-api-key"));
        assert_eq!(header.key(Some("a b")), Err("malformed-api-key"));
        assert_eq!(header.key(Some("")), Err("missing-api-key"));
    }

    proptest! {
        #[test]
        fn both_parts_come_back(user in "[!-9;-~]{1,40}", password in "[!-~]{1,40}") {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let key = |part| Credential::Basic(part).key(Some(&value)).map(Cow::into_owned);
            prop_assert_eq!(key(BasicPart::User), Ok(user));
            prop_assert_eq!(key(BasicPart::Password), Ok(password));
        }

        #[test]
        fn no_value_panics(value in any::<String>()) {
            let _ = PASSWORD.key(Some(&value));
        }
    }
}
