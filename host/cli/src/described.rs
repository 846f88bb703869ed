//! A policy's description of itself, in Markdown that reads well on a terminal.

use serde_json::Value;
use std::fmt;

/// The description of a component, as `barmkin_guest::describe` writes it.
pub(crate) struct Described<'a>(pub(crate) &'a Value);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(description) = self;
        writeln!(f, "{}", text(description, "summary"))?;
        let settings = description.get("settings").unwrap_or(&Value::Null);
        if properties(settings).next().is_some() {
            writeln!(f, "\n## Settings\n")?;
            table(f, settings, 0)?;
        }
        let reasons = list(description, "reasons");
        if !reasons.is_empty() {
            writeln!(f, "\n## Reasons\n")?;
        }
        for reason in reasons {
            let status = reason.get("status").and_then(Value::as_u64).unwrap_or_default();
            let text = format!("`{}`, {status}: {}", text(reason, "code"), text(reason, "text"));
            item(f, 0, &text)?;
        }
        let example = text(description, "example");
        if !example.is_empty() {
            writeln!(f, "\n## Example\n\n```toml\n{}\n```", example.trim_end())?;
        }
        Ok(())
    }
}

/// The settings of a table, and below each those that it is made of.
fn table(f: &mut fmt::Formatter<'_>, schema: &Value, depth: usize) -> fmt::Result {
    let required = list(schema, "required");
    for (name, value) in properties(schema) {
        let needed = if required.iter().any(|required| required == name) { ", required" } else { "" };
        let description = text(value, "description");
        let colon = if description.is_empty() { "" } else { ": " };
        item(f, depth, &format!("`{name}` ({}{needed}){colon}{description}", kind(value)))?;
        inside(f, value, depth + 1)?;
    }
    Ok(())
}

/// The parts of a setting.
fn inside(f: &mut fmt::Formatter<'_>, schema: &Value, depth: usize) -> fmt::Result {
    for choice in list(schema, "oneOf") {
        let description = text(choice, "description");
        if !description.is_empty() {
            item(f, depth, &format!("`{}`: {description}", text(choice, "const")))?;
        }
    }
    table(f, schema, depth)?;
    for inner in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
        inside(f, inner, depth)?;
    }
    Ok(())
}

/// The values that may be written there, in words.
fn kind(schema: &Value) -> String {
    match text(schema, "type") {
        "string" => match text(schema, "pattern") {
            "" => "text".to_owned(),
            "^[0-9]+(ms|s|m|h|d)$" => "duration, such as `5m`".to_owned(),
            "^.$" => "one character".to_owned(),
            pattern => format!("text that matches `{pattern}`"),
        },
        "integer" => match (schema.get("minimum"), schema.get("maximum")) {
            (Some(least), Some(most)) => format!("whole number from {least} to {most}"),
            _ => "whole number".to_owned(),
        },
        "boolean" => "true or false".to_owned(),
        "number" => "number".to_owned(),
        "array" => format!("list of: {}", schema.get("items").map_or("anything".to_owned(), kind)),
        "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("table by name of: {}", kind(values)),
            None => "table".to_owned(),
        },
        _ => {
            let choices: Vec<_> = list(schema, "oneOf").iter().map(|it| format!("`{}`", text(it, "const"))).collect();
            if choices.is_empty() { "anything".to_owned() } else { choices.join(" or ") }
        }
    }
}

/// One item of a list, whose further lines stand below its first.
fn item(f: &mut fmt::Formatter<'_>, depth: usize, text: &str) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for (index, line) in text.lines().enumerate() {
        match (index, line) {
            (0, line) => writeln!(f, "{indent}- {line}")?,
            (_, "") => writeln!(f)?,
            (_, line) => writeln!(f, "{indent}  {line}")?,
        }
    }
    Ok(())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(name, value)| (name.as_str(), value))
}
