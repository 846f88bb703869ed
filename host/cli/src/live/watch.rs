//! Says when something may have changed on disk.

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Watches folders. What cannot be watched is looked at from time to time.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    changed: Arc<dyn Fn() + Send + Sync>,
}

impl Watch {
    /// Calls `changed` whenever something happens in a folder that is
    /// followed.
    pub(super) fn start(changed: impl Fn() + Send + Sync + 'static) -> Self {
        let changed: Arc<dyn Fn() + Send + Sync> = Arc::new(changed);
        let tell = changed.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An event that was lost may have been one that matters.
            if event.is_ok_and(|event| only_looked_at(event.kind)) {
                return;
            }
            tell();
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "files cannot be watched")).ok();
        Self { watcher, folders: BTreeSet::new(), changed }
    }

    /// Follows exactly `folders`. When some are new it is as if something had
    /// happened there, since what did before was not seen.
    pub(super) fn follow(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            // One that is no more is not watched any more.
            let _ = watcher.unwatch(gone);
        }
        let mut followed = BTreeSet::new();
        for folder in folders {
            // Also those that are watched: there may be another of that name.
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(followed.insert(folder)),
                Err(error) => tracing::warn!(%error, folder = %folder.display(), "a folder cannot be watched"),
            }
        }
        if !followed.is_subset(&self.folders) {
            (self.changed)();
        }
        self.folders = followed;
    }
}

/// Reading the files, as a reload does, is no change of them.
fn only_looked_at(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
