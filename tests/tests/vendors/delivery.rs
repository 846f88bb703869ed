//! Deliveries: fresh ones, and how they are taken apart.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::library::Library;
use crate::random::Random;
use crate::vendor::{Encoding, Vendor};

/// A delivery before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) secret: String,
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) body: Vec<u8>,
}

/// A request, and the secrets of its receiver.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) secrets: Vec<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The bodies that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Empty,
    /// Line ends of all sorts, tabs and a NUL.
    Controls,
    ByteOrderMark,
    /// It begins with the signing time and a dot, as what is signed does.
    Time,
    /// Any characters.
    Text,
    /// Bytes that are no text.
    Binary,
    /// 200 KiB.
    Large,
}

pub(crate) const KINDS: [Kind; 8] =
    [Kind::Json, Kind::Empty, Kind::Controls, Kind::ByteOrderMark, Kind::Time, Kind::Text, Kind::Binary, Kind::Large];

impl Draft {
    /// One with a secret of its own, signed now.
    pub(crate) fn new(vendor: Vendor, kind: Kind, random: &mut Random) -> Self {
        let time = now_s();
        let body = match kind {
            Kind::Json => {
                format!(r#"{{"id": "{}", "name": "Zoë 🦀 \u00fc", "amount": 1.0}}"#, random.next()).into_bytes()
            }
            Kind::Empty => Vec::new(),
            Kind::Controls => format!("{}\r\n\n\r\t\0\u{7f}\u{85} ", random.next()).into_bytes(),
            Kind::ByteOrderMark => format!("\u{feff}{}", random.next()).into_bytes(),
            Kind::Time => format!("{time}.{}", random.next()).into_bytes(),
            Kind::Text => random.text(300).into_bytes(),
            Kind::Binary => [&[0xff, 0xc0, 0x80], random.bytes(300).as_slice()].concat(),
            Kind::Large => random.text(200 * 1_024 / 4).into_bytes(),
        };
        Self { secret: vendor.secret(random), id: format!("msg_{:x}", random.next()), time, body }
    }
}

/// A delivery that a library has just signed, and all that it takes to make
/// others of it.
pub(crate) struct Fresh<'a> {
    pub(crate) vendor: Vendor,
    pub(crate) library: &'a mut Library,
    pub(crate) random: &'a mut Random,
    pub(crate) draft: Draft,
    pub(crate) delivery: Delivery,
}

impl<'a> Fresh<'a> {
    /// `None` if the library takes no such body.
    pub(crate) fn sign(vendor: Vendor, kind: Kind, library: &'a mut Library, random: &'a mut Random) -> Option<Self> {
        loop {
            let draft = Draft::new(vendor, kind, random);
            let fields = library.sign(&draft)?;
            let delivery = Delivery { secrets: vec![draft.secret.clone()], fields, body: draft.body.clone() };
            if !library.verify(&delivery).accepted {
                return None;
            }
            let signature = delivery.signature(vendor).1;
            let is_telling = match vendor.encoding() {
                // Discord's library reads a last digit that is missing as a zero.
                Encoding::Hex => !signature.ends_with('0'),
                // Otherwise there would be nothing to write in the other alphabet.
                Encoding::Base64 => signature.contains(['+', '/']),
            };
            if is_telling {
                return Some(Self { vendor, library, random, draft, delivery });
            }
        }
    }

    /// The same, signed again after `change`; its receiver has the secret of
    /// before.
    pub(crate) fn signed_again(&mut self, change: impl FnOnce(&mut Draft)) -> Option<Delivery> {
        let mut draft = self.draft.clone();
        change(&mut draft);
        let fields = self.library.sign(&draft)?;
        Some(Delivery { secrets: self.delivery.secrets.clone(), fields, body: draft.body })
    }

    /// The same, with something done to it.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Delivery)) -> Option<Delivery> {
        let mut delivery = self.delivery.clone();
        change(&mut delivery);
        Some(delivery)
    }

    /// The same, with its signature field written by `write` from what stands
    /// before the signature, prefix included, and the signature.
    pub(crate) fn rewritten(&self, write: impl FnOnce(&str, &str) -> String) -> Option<Delivery> {
        let (before, signature) = self.delivery.signature(self.vendor);
        let value = write(before, signature);
        self.changed(|delivery| delivery.set(self.vendor.signature_field(), &value))
    }

    /// A signature that is well-formed, and not of this delivery.
    pub(crate) fn wrong_signature(&mut self) -> String {
        let secret = self.vendor.secret(self.random);
        let delivery = self.signed_again(|draft| draft.secret = secret).unwrap();
        delivery.signature(self.vendor).1.to_owned()
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secrets, fields, body } = self;
        write!(f, "secrets {secrets:?}, fields {fields:?}, body (base64) {}", BASE64_STANDARD.encode(body))
    }
}

impl Delivery {
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.fields.iter().find(|(given, _)| given == name).unwrap().1
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        value.clone_into(&mut self.fields.iter_mut().find(|(given, _)| given == name).unwrap().1);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.fields.retain(|(given, _)| given != name);
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// The text before its signature, prefix included, and the signature.
    pub(crate) fn signature(&self, vendor: Vendor) -> (&str, &str) {
        let value = self.get(vendor.signature_field());
        let begin = if vendor.prefix().is_empty() { 0 } else { value.rfind(vendor.prefix()).unwrap() };
        value.split_at(begin + vendor.prefix().len())
    }

    /// Writes another time, and leaves the signature.
    pub(crate) fn set_time(&mut self, vendor: Vendor, draft: &Draft, text: &str) {
        match vendor.time_field() {
            Some(field) => self.set(field, text),
            None => {
                let value = self.get(vendor.signature_field());
                let value = value.replacen(&format!("t={}", draft.time), &format!("t={text}"), 1);
                self.set(vendor.signature_field(), &value);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "libraries look at the real clock")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
