//! The published JSON Schema, and what it says about keys.

use crate::document::Document;
use barmkin_host::description;
use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of `barmkin.toml`, and in it of the settings of the
/// stock policies.
pub fn schema() -> Value {
    let mut schema = document();
    let of_stock = barmkin_stock::all().iter().filter_map(|stock| {
        let settings = description(stock.component)?.get_mut("settings").map(Value::take)?;
        let component = format!("stock:{}", stock.name);
        Some(json!({
            "if": { "properties": { "component": { "const": component } } },
            "then": { "properties": { "settings": settings } },
        }))
    });
    if let Some(policy) = schema.pointer_mut("/$defs/Policy").and_then(Value::as_object_mut) {
        policy.insert("allOf".to_owned(), of_stock.collect());
    }
    schema
}

/// The JSON Schema without that of settings, which their policies judge.
pub(crate) fn document() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Document>().to_value()
}

/// The schema of one value: the alternatives that it may be.
pub(crate) struct Shape<'s> {
    root: &'s Value,
    alternatives: Vec<&'s Value>,
}

impl<'s> Shape<'s> {
    pub(crate) fn root(schema: &'s Value) -> Self {
        Self::of(schema, schema)
    }

    /// The names that a table may have, if they are fixed.
    pub(crate) fn names(&self) -> Option<Vec<&'s str>> {
        let tables: Vec<_> =
            self.alternatives.iter().filter_map(|shape| shape.get("properties")?.as_object()).collect();
        let fixed =
            self.alternatives.iter().any(|shape| shape.get("additionalProperties") == Some(&Value::Bool(false)));
        fixed.then(|| tables.into_iter().flat_map(|table| table.keys().map(String::as_str)).collect())
    }

    /// The value of `name` in a table.
    pub(crate) fn key(&self, name: &str) -> Self {
        let values = self.alternatives.iter().filter_map(|shape| {
            let properties = shape.get("properties").and_then(|properties| properties.get(name));
            properties.or_else(|| shape.get("additionalProperties"))
        });
        self.among(values.collect())
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Self {
        self.among(self.alternatives.iter().filter_map(|shape| shape.get("items")).collect())
    }

    fn among(&self, values: Vec<&'s Value>) -> Self {
        let alternatives = values.into_iter().flat_map(|value| Self::of(self.root, value).alternatives).collect();
        Self { root: self.root, alternatives }
    }

    /// Follows references and alternatives. The schema is ours and does not
    /// refer to itself.
    fn of(root: &'s Value, value: &'s Value) -> Self {
        let referred =
            value.get("$ref").and_then(Value::as_str).and_then(|reference| root.pointer(reference.strip_prefix('#')?));
        let alternatives = ["anyOf", "oneOf"].iter().filter_map(|name| value.get(name)?.as_array()).flatten();
        let mut shape = Self { root, alternatives: vec![value] };
        for inner in referred.into_iter().filter(|inner| !std::ptr::eq(*inner, root)).chain(alternatives) {
            shape.alternatives.extend(Self::of(root, inner).alternatives);
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_schema_is_current() {
        let published = include_str!("../barmkin.schema.json");
        let published: serde_json::Value = serde_json::from_str(published).unwrap();
        assert!(published == super::schema(), "write it again: barmkin schema > host/config/barmkin.schema.json");
    }
}
