//! Where keys may be: several places, for callers that cannot all send theirs alike.

use std::borrow::Cow;

use barmkin_guest::Problems;
use barmkin_guest::types::Cardinality;
use serde::Deserialize;

use crate::credential::{BasicPart, Credential};

/// Each is looked at: more are not needed.
const PLACES_MAX: usize = 8;

/// A place, as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Place {
    /// A header of its own, in lower case.
    #[serde(default)]
    header: Option<String>,
    /// `authorization`, behind the name of this scheme: `Bearer`, `Token`.
    #[serde(default)]
    scheme: Option<String>,
    /// `authorization`, in Basic authentication: as `user` or `password`.
    #[serde(default)]
    basic: Option<BasicPart>,
    /// The cookie of this name.
    #[serde(default)]
    cookie: Option<String>,
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
            if !headers.iter().any(|header| header == credential.header()) {
                headers.push(credential.header().to_owned());
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

    /// A challenge for each place.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = String> {
        self.credentials.iter().map(Credential::challenge)
    }

    /// The one key of a request, whose headers have these values, or the code of the
    /// denial. A request with two different keys has two readings.
    pub(crate) fn key<'a, I>(&self, values: impl Fn(usize) -> I) -> Result<Cow<'a, str>, &'static str>
    where
        I: Iterator<Item = &'a str>,
    {
        let mut found: Option<Cow<'a, str>> = None;
        for credential in &self.credentials {
            let header = self.headers.iter().position(|header| header == credential.header());
            for value in header.into_iter().flat_map(&values) {
                match (&found, credential.key(value)?) {
                    (_, None) => {}
                    (None, key) => found = key,
                    (Some(first), Some(key)) if *first == key => {}
                    (Some(_), Some(_)) => return Err("several-api-keys"),
                }
            }
        }
        found.ok_or("missing-api-key")
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
    let Place { header, scheme, basic, cookie } = place;
    match (header, scheme, basic, cookie) {
        (Some(name), None, None, None) if is_header_name(&name) => Ok(Credential::Header(name)),
        (Some(name), None, None, None) => {
            Err((format!("`{name}` is not a header name in lower case"), "use letters, digits and hyphens"))
        }
        (None, Some(scheme), None, None) if scheme.eq_ignore_ascii_case("basic") => {
            Err(("Basic has a user and a password".to_owned(), "write `basic = \"user\"` or `basic = \"password\"`"))
        }
        (None, Some(scheme), None, None) if is_token(&scheme) => Ok(Credential::Scheme(scheme)),
        (None, Some(scheme), None, None) => {
            Err((format!("`{scheme}` is not the name of a scheme"), "write it as callers do, such as `Bearer`"))
        }
        (None, None, Some(part), None) => Ok(Credential::Basic(part)),
        (None, None, None, Some(name)) if is_token(&name) => Ok(Credential::Cookie(name)),
        (None, None, None, Some(name)) => {
            Err((format!("`{name}` is not the name of a cookie"), "use letters, digits and hyphens"))
        }
        _ => Err((
            "this says several places, or none".to_owned(),
            "give one of `header`, `scheme`, `basic` and `cookie`",
        )),
    }
}

pub(crate) fn is_header_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}
