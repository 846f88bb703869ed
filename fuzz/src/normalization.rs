//! How a target is read: in one way, whichever of its spellings was sent, and
//! in none that a backend could read otherwise.

use crate::guest::{self, PATH_FIELD};
use crate::head::{self, TARGET_BYTES_MAX};
use barmkin_host::{Body, Gate, Head, Member, PathMatch, Route, Spec, Verdict};
use percent_encoding::percent_decode_str;
use std::hash::Hasher as _;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// Everything is open, but what is below `/admin` is another route.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let route = |name: &str, below: &str| {
        let mut route = Route::new(name);
        route.matches.path = PathMatch::Prefix(below.to_owned());
        route.public = true;
        route.chain = vec![Member::Policy("echo".to_owned())];
        route
    };
    let policies = [("echo".to_owned(), guest::echo())].into();
    crate::gate(&Spec { policies, routes: vec![route("open", "/"), route("admin", "/admin")], ..Spec::default() })
});

/// The route of a request that is let through, and its path as policies see it.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    route: String,
    path: String,
}

pub(crate) fn check(input: &[u8]) {
    let Some(head) = head::read(input).filter(|head| head.target.len() <= TARGET_BYTES_MAX) else { return };
    let reading = read(head.clone());
    if let Some(reading) = &reading {
        is_what_backends_read(&head.target, reading);
        let again = Head { target: reading.path.clone(), ..head.clone() };
        assert_eq!(read(again).as_ref(), Some(reading), "the normal form of `{}` has another", head.target);
    }
    for target in spellings(&head.target) {
        let other = read(Head { target: target.clone(), ..head.clone() });
        assert_eq!(other, reading, "`{}` and `{target}` are the same to RFC 3986", head.target);
    }
}

fn read(head: Head) -> Option<Reading> {
    let (target, fields) = (head.target.clone(), head.headers.len());
    match GATE.check_now(head, Body::NotCarried).expect("the store is in memory") {
        Verdict::Allow(permit) => {
            let route = permit.route().to_owned();
            let (head, _) = permit.into_forwarded();
            assert_eq!(head.target, target, "the target is forwarded as it came");
            assert!(head.headers.len() <= fields + 2, "fields came from nowhere");
            // A preflight is refused, so that there was a chain.
            let path = head.headers.get(PATH_FIELD).and_then(|path| path.to_str().ok()).expect("the policy says it");
            Some(Reading { route, path: path.to_owned() })
        }
        Verdict::Deny(denial) => {
            assert!(!denial.response().status().is_success());
            None
        }
    }
}

/// However a backend reads the path, it is what the gate has read.
fn is_what_backends_read(target: &str, Reading { route, path }: &Reading) {
    for sent in [target, path] {
        let is_admin = backends_read(sent).iter().any(|path| is_below_admin(path));
        assert_eq!(route == "admin", is_admin, "`{sent}` is for route `{route}`");
    }
    let sent = target.split('?').next().unwrap_or_default();
    let text = decode(path);
    assert_eq!(decode(sent).nfc().collect::<String>(), text, "`{target}` is not `{path}`");
    assert_eq!(decode(&text), text, "there is more to decode in `{path}`");
    let by_rules = barmkin_path::normalize(sent).expect("the rules of policies take what the gate takes");
    assert_eq!(decode(&by_rules).nfc().collect::<String>(), text, "a rule would read `{target}` otherwise");
}

fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8().expect("only UTF-8 is let through").into_owned()
}

/// Other targets that are the same by RFC 3986, section 6.2.2: unreserved
/// characters may be encoded, and the digits be of either case. None where
/// `target` is not of that syntax.
fn spellings(target: &str) -> Vec<String> {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let Some(characters) = characters(path) else { return Vec::new() };
    let mut seed = std::hash::DefaultHasher::new();
    seed.write(target.as_bytes());
    let mut bits = seed.finish();
    let mut toss = || {
        bits = bits.rotate_left(1);
        bits & 1 == 1
    };
    let mut spell = |encode: &mut dyn FnMut() -> bool| {
        let mut spelling = String::new();
        for character in &characters {
            match character {
                Character::Bare(char) => spelling.push(*char),
                Character::Encoded(byte) if is_unreserved(*byte) && !encode() => spelling.push(char::from(*byte)),
                Character::Encoded(byte) if toss() => spelling.push_str(&format!("%{byte:02x}")),
                Character::Encoded(byte) => spelling.push_str(&format!("%{byte:02X}")),
            }
        }
        spelling + query
    };
    let mut other = seed.finish().reverse_bits();
    let mut sometimes = || {
        other = other.rotate_left(1);
        other & 3 == 3
    };
    vec![spell(&mut || false), spell(&mut sometimes), spell(&mut || true)]
}

enum Character {
    /// A character that stands for nothing else.
    Bare(char),
    /// A byte that may be encoded, or is.
    Encoded(u8),
}

fn characters(path: &str) -> Option<Vec<Character>> {
    let digit = |char: Option<char>| char.and_then(|char| char.to_digit(16));
    let mut chars = path.chars();
    let mut characters = Vec::new();
    while let Some(char) = chars.next() {
        characters.push(match char {
            '%' => {
                let byte = digit(chars.next())? * 16 + digit(chars.next())?;
                Character::Encoded(u8::try_from(byte).ok()?)
            }
            char => match u8::try_from(char) {
                Ok(byte) if is_unreserved(byte) => Character::Encoded(byte),
                _ => Character::Bare(char),
            },
        });
    }
    Some(characters)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The path as it stands, and after each of what backends do to one: decode
/// it, cut its parameters off, merge slashes, walk its dots, fold its case.
fn backends_read(target: &str) -> Vec<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut readings = vec![path.to_owned(), decoded];
    let without_parameters: Vec<_> = readings.iter().map(|path| without_parameters(path)).collect();
    readings.extend(without_parameters);
    let walked: Vec<_> = readings.iter().map(|path| walk(path)).collect();
    readings.extend(walked);
    readings.iter().map(|path| path.to_lowercase()).collect()
}

fn without_parameters(path: &str) -> String {
    let parts: Vec<_> = path.split('/').map(|part| part.split(';').next().unwrap_or_default()).collect();
    parts.join("/")
}

fn walk(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_below_admin(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

#[cfg(test)]
mod tests {
    use super::{Reading, read, spellings};
    use crate::head;

    fn reading(target: &str) -> Option<Reading> {
        read(head::read(format!("GET {target}\nexample.com").as_bytes()).unwrap())
    }

    #[test]
    fn the_policy_says_what_was_read() {
        let reading_of = |route: &str, path: &str| Some(Reading { route: route.to_owned(), path: path.to_owned() });
        assert_eq!(reading("/%61dmin/%c3%a9?x"), reading_of("admin", "/admin/%C3%A9"));
        assert_eq!(reading("/keys%3Arotate"), reading_of("open", "/keys:rotate"));
        assert_eq!(reading("/a%2fadmin"), None);
    }

    #[test]
    fn spellings_are_those_of_the_standard() {
        let [bare, _, encoded] = spellings("/%41/a:b%2F%7e?%41").try_into().unwrap();
        assert_eq!(bare.to_uppercase(), "/A/A:B%2F~?%41");
        assert_eq!(encoded.to_uppercase(), "/%41/%61:%62%2F%7E?%41");
        assert!(spellings("/%4").is_empty() && spellings("/%zz").is_empty());
    }
}
