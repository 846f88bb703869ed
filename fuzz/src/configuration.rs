//! A configuration as any text: it is right, or it is reported, at a place.

use barmkin_config::{Config, LoadOptions};
use std::cell::LazyCell;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) fn check(input: &[u8]) {
    thread_local! {
        static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a temporary folder"));
    }
    FOLDER.with(|folder| {
        let file = folder.path().join("barmkin.toml");
        std::fs::write(&file, input).expect("the folder is ours");
        match Config::load(&file, &LoadOptions::at(Duration::from_secs(1_700_000_000))) {
            Ok(config) => assert!(config.listeners().iter().all(|listener| !listener.name.is_empty())),
            Err(report) => assert!(!report.to_string().is_empty()),
        }
    });
}
