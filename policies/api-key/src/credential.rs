//! A key in the value of a header or a query parameter.

use std::borrow::Cow;

use barmkin_guest::{Reason, Schema};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::reason::MALFORMED_API_KEY;

/// Longer than any key in use, and short enough to be hashed in no time.
const KEY_BYTES_MAX: usize = 512;

/// Where in a header the key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A header of its own.
    Header(String),
    /// `authorization`, behind the name of a scheme, such as `Bearer`.
    Scheme(String),
    /// `authorization`, in the credentials of Basic authentication.
    Basic(BasicPart),
    /// A cookie of this name.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

/// Which part of `user:password` is the key. The other is not looked at: many
/// clients can send a key only with an empty or a made-up one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BasicPart {
    /// The part before the first colon.
    User,
    /// The part after it.
    Password,
}

impl Credential {
    /// The name of the header, if it is in one.
    pub(crate) fn header(&self) -> Option<&str> {
        match self {
            Self::Header(name) => Some(name),
            Self::Scheme(_) | Self::Basic(_) => Some("authorization"),
            Self::Cookie(_) => Some("cookie"),
            Self::Query(_) => None,
        }
    }

    /// The name of the query parameter, if it is in one.
    pub(crate) fn query_parameter(&self) -> Option<&str> {
        if let Self::Query(name) = self { Some(name) } else { None }
    }

    /// The challenge to a client without a key (RFC 9110, section 11.6.1).
    pub(crate) fn challenge(&self) -> String {
        match self {
            Self::Header(name) => format!("ApiKey header=\"{name}\""),
            Self::Scheme(scheme) => format!("{scheme} realm=\"api\""),
            Self::Basic(_) => "Basic realm=\"api\", charset=\"UTF-8\"".to_owned(),
            Self::Cookie(name) => format!("ApiKey cookie=\"{name}\""),
            Self::Query(name) => format!("ApiKey query=\"{name}\""),
        }
    }

    /// The key in a value of the header or parameter, or the reason of the denial; `None` where
    /// there is none.
    pub(crate) fn key<'a>(&self, value: &'a str) -> Result<Option<Cow<'a, str>>, Reason> {
        let key = match self {
            Self::Header(_) | Self::Query(_) => Some(Cow::Borrowed(value)),
            Self::Scheme(scheme) => behind(scheme, value).map(Cow::Borrowed),
            Self::Basic(part) => behind("Basic", value).map(|encoded| basic(encoded, *part)).transpose()?,
            Self::Cookie(name) => cookie(name, value)?.map(Cow::Borrowed),
        };
        let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(None) };
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && key.len() <= KEY_BYTES_MAX { Ok(Some(key)) } else { Err(MALFORMED_API_KEY) }
    }
}

/// The credentials behind the name of a scheme, which is read in any case (RFC 9110,
/// section 11.1).
fn behind<'a>(scheme: &str, value: &'a str) -> Option<&'a str> {
    let (named, credentials) = value.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| credentials.trim_start_matches(' '))
}

/// RFC 7617, section 2: the user ends at the first colon.
fn basic(encoded: &str, part: BasicPart) -> Result<Cow<'static, str>, Reason> {
    let decoded = STANDARD.decode(encoded).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or(MALFORMED_API_KEY)?;
    let (user, password) = decoded.split_once(':').ok_or(MALFORMED_API_KEY)?;
    Ok(Cow::Owned(match part {
        BasicPart::User => user.to_owned(),
        BasicPart::Password => password.to_owned(),
    }))
}

/// RFC 6265, section 4.2.1. A cookie that comes twice has two readings: servers take
/// the first or the last.
fn cookie<'a>(name: &str, value: &'a str) -> Result<Option<&'a str>, Reason> {
    let pairs = value.split(';').filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='));
    let mut named = pairs.filter(|(other, _)| *other == name).map(|(_, value)| value);
    let first = named.next();
    if named.next().is_some() { Err(MALFORMED_API_KEY) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: Credential = Credential::Basic(BasicPart::Password);

    fn key(credential: &Credential, value: &str) -> Result<Option<String>, Reason> {
        credential.key(value).map(|key| key.map(Cow::into_owned))
    }

    fn found(key: &str) -> Result<Option<String>, Reason> {
        Ok(Some(key.to_owned()))
    }

    #[test]
    fn the_password_may_have_colons() {
        assert_eq!(key(&PASSWORD, &format!("bAsIc {}", STANDARD.encode("user:a:b"))), found("a:b"));
    }

    #[test]
    fn another_scheme_is_no_key() {
        assert_eq!(key(&PASSWORD, "Bearer abc"), Ok(None));
        assert_eq!(key(&PASSWORD, "Basic"), Ok(None));
        assert_eq!(key(&PASSWORD, "Basic !"), Err(MALFORMED_API_KEY));
        let token = Credential::Scheme("Token".to_owned());
        assert_eq!(key(&token, "tOkEn  abc"), found("abc"));
        assert_eq!(key(&token, "Tokenabc"), Ok(None));
        assert_eq!(key(&token, "Bearer abc"), Ok(None));
        assert_eq!(key(&token, "Token a b"), Err(MALFORMED_API_KEY));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_not_twice() {
        let cookie = Credential::Cookie("key".to_owned());
        assert_eq!(key(&cookie, "a=b; key=abc; c=d"), found("abc"));
        assert_eq!(key(&cookie, "a=b;key=a=c"), found("a=c"));
        assert_eq!(key(&cookie, "Key=abc; akey=x; key"), Ok(None));
        assert_eq!(key(&cookie, "key=a; key=a"), Err(MALFORMED_API_KEY));
    }

    #[test]
    fn a_key_has_at_most_512_visible_bytes() {
        let header = Credential::Header("x-api-key".to_owned());
        assert!(key(&header, &"k".repeat(512)).is_ok());
        assert_eq!(key(&header, &"k".repeat(513)), Err(MALFORMED_API_KEY));
        assert_eq!(key(&header, "a b"), Err(MALFORMED_API_KEY));
        assert_eq!(key(&header, ""), Ok(None));
    }

    proptest! {
        #[test]
        fn both_parts_come_back(user in "[!-9;-~]{1,40}", password in "[!-~]{1,40}") {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            prop_assert_eq!(key(&Credential::Basic(BasicPart::User), &value), Ok(Some(user)));
            prop_assert_eq!(key(&PASSWORD, &value), Ok(Some(password)));
        }

        #[test]
        fn no_value_panics(value in any::<String>()) {
            for credential in [PASSWORD, Credential::Scheme("Bearer".into()), Credential::Cookie("a".into())] {
                let _ = credential.key(&value);
            }
        }
    }
}
