//! Vector files, told apart by what they say they are.

use super::gcra::GcraVectors;
use super::webhooks::WebhookVectors;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A file of a known format.
pub(super) enum Vectors {
    /// `webhook-vectors/1`.
    Webhooks(WebhookVectors),
    /// `gcra.json`, which has no `format` of its own.
    Gcra(GcraVectors),
}

/// The files among `paths`, with folders replaced by the JSON files in them.
/// Names that begin with `_` are about vectors, and hold none.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = path.read_dir().with_context(|| format!("folder `{}` cannot be read", path.display()))?;
        let mut inside = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| format!("folder `{}` cannot be read", path.display()))?.path();
            let is_json = file.extension().is_some_and(|extension| extension == "json");
            if is_json && !name(&file).starts_with('_') {
                inside.push(file);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Vectors> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("file `{shown}` cannot be read"))?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("file `{shown}` is not JSON"))?;
    let format = value.get("format").and_then(Value::as_str).map(str::to_owned);
    let parsed = match (format.as_deref(), name(path).as_str()) {
        (Some("webhook-vectors/1"), _) => WebhookVectors::deserialize(value).map(Vectors::Webhooks),
        (None, "gcra.json") => GcraVectors::deserialize(value).map(Vectors::Gcra),
        (Some(format), _) => bail!("file `{shown}` has the format `{format}`, which is not known here"),
        (None, _) => bail!("file `{shown}` names no format, and is not known by its name"),
    };
    parsed.with_context(|| format!("file `{shown}` does not have the shape of its format"))
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_file_of_no_known_format_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, complaint) in [
            ("a.json", r#"{"format":"jwt-vectors/1"}"#, "has the format `jwt-vectors/1`"),
            ("b.json", "{}", "names no format"),
            ("c.json", "{", "is not JSON"),
            ("gcra.json", "{}", "does not have the shape"),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let error = read(&file).err().unwrap().to_string();
            assert!(error.contains(complaint) && error.contains(name), "{error}");
        }
    }
}
