//! Where keys may be: several places, for callers that cannot all send theirs alike.

use std::borrow::Cow;

use barmkin_guest::types::Cardinality;
use barmkin_guest::{Problems, Reason, Schema};
use serde::Deserialize;

use crate::credential::{BasicPart, Credential};
use crate::reason::{MISSING_API_KEY, SEVERAL_API_KEYS};

/// Each is looked at: more are not needed.
const PLACES_MAX: usize = 8;

/// A place, as it is written.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Place {
    /// A header of its own, in lower case.
    #[serde(default)]
    header: Option<String>,
    /// `authorization`, behind the name of this scheme: `Bearer`, `Token`.
    #[serde(default)]
    scheme: Option<String>,
    /// `authorization`, in this part of Basic authentication.
    #[serde(default)]
    basic: Option<BasicPart>,
    /// The cookie of this name.
    #[serde(default)]
    cookie: Option<String>,
    /// The query parameter of this name, which is taken out of the target before
    /// that is forwarded; but every
    /// proxy before the gate, and many a client, writes it into its log.
    #[serde(default)]
    query: Option<String>,
}

/// The places in which a key may be.
#[derive(Debug)]
pub(crate) struct Places {
    credentials: Vec<Credential>,
    /// The headers of all of them, each once.
    headers: Vec<String>,
}

impl Places {
    pub(crate) fn new(credentials: Vec<Credential>) -> Self {
        let mut headers: Vec<String> = Vec::new();
        for credential in &credentials {
            if let Some(name) = credential.header()
                && !headers.iter().any(|header| header == name)
            {
                headers.push(name.to_owned());
            }
        }
        Self { credentials, headers }
    }

    /// The headers, in the order in which their values are handed over. Clients of
    /// HTTP/2 may send their cookies in several (RFC 9113, section 8.2.3).
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, Cardinality)> {
        let cardinality = |name: &str| if name == "cookie" { Cardinality::Many } else { Cardinality::AtMostOne };
        self.headers.iter().map(move |name| (name.as_str(), cardinality(name)))
    }

    /// The query parameters, likewise.
    pub(crate) fn query_parameters(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().filter_map(Credential::query_parameter)
    }

    /// A challenge for each place.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = String> {
        self.credentials.iter().map(Credential::challenge)
    }

    /// The one key of a request, whose headers and query parameters have these
    /// values, or the reason of the denial. A request with two different keys has two
    /// readings.
    pub(crate) fn key<'a, I>(
        &self,
        values: impl Fn(usize) -> I,
        parameters: impl Fn(usize) -> Option<&'a str>,
    ) -> Result<Cow<'a, str>, Reason>
    where
        I: Iterator<Item = &'a str>,
    {
        let mut found: Option<Cow<'a, str>> = None;
        for credential in &self.credentials {
            let header = self.headers.iter().position(|header| Some(header.as_str()) == credential.header());
            let in_query = credential.query_parameter();
            let parameter = self.query_parameters().position(|name| Some(name) == in_query);
            let values = header.into_iter().flat_map(&values).chain(parameter.and_then(&parameters));
            for value in values {
                match (&found, credential.key(value)?) {
                    (_, None) => {}
                    (None, key) => found = key,
                    (Some(first), Some(key)) if *first == key => {}
                    (Some(_), Some(_)) => return Err(SEVERAL_API_KEYS),
                }
            }
        }
        found.ok_or(MISSING_API_KEY)
    }
}

/// Reads places, in the order in which their challenges are given.
pub(crate) fn read(places: Vec<Place>) -> Result<Places, Problems> {
    let mut problems = Problems::new();
    if !(1..=PLACES_MAX).contains(&places.len()) {
        problems.add("places", format!("there are {} places", places.len()), "give from 1 to 8");
    }
    let mut credentials = Vec::with_capacity(places.len());
    for (index, place) in places.into_iter().enumerate() {
        match credential(place) {
            Ok(credential) if credentials.contains(&credential) => {
                problems.add(&format!("places.{index}"), "this place is named twice", "remove one");
            }
            Ok(credential) => credentials.push(credential),
            Err((problem, help)) => problems.add(&format!("places.{index}"), problem, help),
        }
    }
    problems.or(Places::new(credentials))
}

fn credential(place: Place) -> Result<Credential, (String, &'static str)> {
    let Place { header, scheme, basic, cookie, query } = place;
    match (header, scheme, basic, cookie, query) {
        (None, None, None, None, Some(name)) if is_plain(&name) => Ok(Credential::Query(name)),
        (None, None, None, None, Some(name)) => Err((
            format!("`{name}` is not the name of a query parameter"),
            "use letters, digits, `-`, `.`, `_` and `~`",
        )),
        (Some(name), None, None, None, None) if is_header_name(&name) => Ok(Credential::Header(name)),
        (Some(name), None, None, None, None) => {
            Err((format!("`{name}` is not a header name in lower case"), "use letters, digits and hyphens"))
        }
        (None, Some(scheme), None, None, None) if scheme.eq_ignore_ascii_case("basic") => {
            Err(("Basic has a user and a password".to_owned(), "write `basic = \"user\"` or `basic = \"password\"`"))
        }
        (None, Some(scheme), None, None, None) if is_token(&scheme) => Ok(Credential::Scheme(scheme)),
        (None, Some(scheme), None, None, None) => {
            Err((format!("`{scheme}` is not the name of a scheme"), "write it as callers do, such as `Bearer`"))
        }
        (None, None, Some(part), None, None) => Ok(Credential::Basic(part)),
        (None, None, None, Some(name), None) if is_token(&name) => Ok(Credential::Cookie(name)),
        (None, None, None, Some(name), None) => {
            Err((format!("`{name}` is not the name of a cookie"), "use letters, digits and hyphens"))
        }
        _ => Err((
            "this says several places, or none".to_owned(),
            "give one of `header`, `scheme`, `basic`, `cookie` and `query`",
        )),
    }
}

pub(crate) fn is_header_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

/// Of characters that are written as they are everywhere (RFC 3986, section 2.3).
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}
