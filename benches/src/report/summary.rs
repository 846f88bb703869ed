use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers by key: nanoseconds, unless the key says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Summary(BTreeMap<&'static str, f64>);

impl Summary {
    /// The number of `key`, if it was measured.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied()
    }

    /// All keys that begin with `prefix`, and their numbers.
    pub fn beginning_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'static str, f64)> + 'a {
        self.0.iter().filter(move |(key, _)| key.starts_with(prefix)).map(|(key, number)| (*key, *number))
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let folder = file.parent().context("the file is in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(file, serde_json::to_string_pretty(&self.0)? + "\n")?;
        Ok(())
    }

    /// A table in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let rows = self.0.iter().map(|(key, number)| format!("| `{key}` | {} |\n", with_unit(key, *number)));
        format!("| | |\n|---|---|\n{}", rows.collect::<String>())
    }
}

impl Extend<(&'static str, f64)> for Summary {
    fn extend<T: IntoIterator<Item = (&'static str, f64)>>(&mut self, numbers: T) {
        self.0.extend(numbers);
    }
}

/// Nanoseconds become microseconds; other numbers say what they are in their
/// keys.
fn with_unit(key: &str, number: f64) -> String {
    const OTHERS: [&str; 7] = ["_over_", "_per_request", "_ms", "_kib_", "syscalls", "faults", "cpu"];
    if OTHERS.iter().any(|other| key.contains(other)) {
        format!("{number:.3}")
    } else if number < 1_000.0 {
        format!("{number:.0} ns")
    } else {
        format!("{:.2} us", number / 1_000.0)
    }
}
