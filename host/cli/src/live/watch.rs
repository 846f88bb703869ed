//! Says when something may have changed on disk.

use barmkin_config::Watched;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Watches folders. What cannot be watched is looked at from time to time.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// Those that are watched.
    folders: BTreeSet<PathBuf>,
    watched: Arc<RwLock<Watched>>,
    changed: Arc<dyn Fn() + Send + Sync>,
}

impl Watch {
    /// Calls `changed` whenever something that is followed may have changed.
    pub(super) fn start(changed: impl Fn() + Send + Sync + 'static) -> Self {
        let changed: Arc<dyn Fn() + Send + Sync> = Arc::new(changed);
        let watched: Arc<RwLock<Watched>> = Arc::default();
        let (tell, concerned) = (changed.clone(), watched.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerned = concerned.read().unwrap_or_else(PoisonError::into_inner);
            if event.map_or(true, |event| may_be_a_change(&event, &concerned)) {
                tell();
            }
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "files cannot be watched")).ok();
        Self { watcher, folders: BTreeSet::new(), watched, changed }
    }

    /// Follows exactly `watched`. When folders are new it is as if something
    /// had happened there, since what did before was not seen.
    pub(super) fn follow(&mut self, watched: Watched) {
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.iter().filter(|folder| !watched.folders().any(|watched| watched == *folder)) {
            // A removed folder is no longer watched.
            let _ = watcher.unwatch(gone);
        }
        let mut folders = BTreeSet::new();
        for folder in watched.folders() {
            // Also those that are watched: there may be another of that name.
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(folders.insert(folder.to_owned())),
                Err(error) => tracing::warn!(%error, folder = %folder.display(), "a folder cannot be watched"),
            }
        }
        *self.watched.write().unwrap_or_else(PoisonError::into_inner) = watched;
        if !folders.is_subset(&self.folders) {
            (self.changed)();
        }
        self.folders = folders;
    }
}

fn may_be_a_change(event: &notify::Event, watched: &Watched) -> bool {
    // Reading the files, as a reload does, does not change them; an event without
    // details may be a change.
    let is_read = matches!(event.kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write));
    !is_read && (event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(|path| watched.concerns(path)))
}
