//! Reads structs by the names of their fields.
//!
//! The code serde derives for a struct also takes a list, field by field in the order
//! of their declaration. In a file that people write, that order is known to
//! nobody, and changes with a release: `grants = [["a"], true]` would grant
//! something. So what is read as a [`ByName`] takes tables alone.
//!
//! ```
//! #[derive(serde::Deserialize)]
//! struct Grants {
//!     vouch: bool,
//! }
//!
//! use barmkin_by_name::ByName;
//!
//! let ByName(grants): ByName<Grants> = serde_json::from_str(r#"{ "vouch": true }"#).unwrap();
//! assert!(grants.vouch);
//! assert!(serde_json::from_str::<ByName<Grants>>("[true]").is_err());
//! ```
//!
//! Values that serde puts aside before it knows what they are (`untagged`, `flatten`)
//! are out of reach.

mod access;
mod visit;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Visitor};

/// A value whose structs are read by name, at any depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByName<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Through(deserializer)).map(Self)
    }
}

/// Passes everything on, and itself into what is inside.
struct Through<T>(T);

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Through<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.0.deserialize(Through(deserializer))
    }
}

/// Passes each kind of value on.
macro_rules! pass_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Through(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Through<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, visit::Table(visitor))
    }

    pass_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

#[cfg(test)]
mod tests {
    use super::ByName;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        a: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Plain,
        Named { a: u32 },
        Held(Inner),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        list: Vec<Inner>,
        map: BTreeMap<String, Option<Inner>>,
        pair: (u32, Inner),
        kinds: Vec<Kind>,
    }

    const RIGHT: &str = r#"{
        "list": [{ "a": 1 }],
        "map": { "x": { "a": 2 } },
        "pair": [3, { "a": 4 }],
        "kinds": ["Plain", { "Named": { "a": 5 } }, { "Held": { "a": 6 } }]
    }"#;

    fn read(text: &str) -> Result<Outer, String> {
        serde_json::from_str(text).map(|ByName(read)| read).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_named_is_read() {
        let plain: Outer = serde_json::from_str(RIGHT).unwrap();
        assert_eq!(read(RIGHT), Ok(plain));
    }

    #[test]
    fn no_struct_is_read_by_position_however_deep() {
        for named in [1, 2, 4, 5, 6].map(|number| format!("{{ \"a\": {number} }}")) {
            let text = RIGHT.replace(&named, "[7]");
            assert!(serde_json::from_str::<Outer>(&text).is_ok(), "it would be: {text}");
            let problem = read(&text).unwrap_err();
            assert!(problem.starts_with("invalid type: sequence, expected a table"), "{text}: {problem}");
        }
    }

    #[test]
    fn toml_is_read_alike() {
        let read = |text| toml::from_str::<ByName<BTreeMap<String, Inner>>>(text);
        assert_eq!(read("x = { a = 1 }").unwrap().0, [("x".to_owned(), Inner { a: 1 })].into());
        assert!(read("x = [1]").unwrap_err().message().contains("expected a table"));
    }
}
