//! The embedded store's own: damage, a full disk, growth, and who may open it.

use crate::subjects::{Kind, START_MS, Subject, block_on, settings};
use barmkin_host::{Claim, Draw, LocalStore, NonceId, QuotaRule, Store, StoreError, Window};
use barmkin_store_embedded::{Durability, EmbeddedStore, OpenError, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const RETAIN: Duration = Duration::from_secs(86_400);

fn nonce(id: u32) -> NonceId {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&id.to_le_bytes());
    NonceId { space: "deliveries".into(), digest, former: None }
}

fn open(settings: &Settings) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open_with_clock(settings, || Duration::from_millis(START_MS))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Every single cut and flip of a small store: all is there, or it says that
/// it is not.
#[test]
fn damage_is_found_whatever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let store = open(&settings).unwrap();
    let claims = 8;
    for id in 0..claims {
        assert_eq!(store.claim(&nonce(id), RETAIN, None), Ok(Claim::FirstUse));
    }
    drop(store);
    let whole: Vec<_> =
        files(&settings.folder).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect();
    let (mut kept, mut refused) = (0, 0);
    let mut attempt = |file: &Path, bytes: &[u8]| {
        for (file, bytes) in &whole {
            std::fs::write(file, bytes).unwrap();
        }
        std::fs::write(file, bytes).unwrap();
        match open(&settings) {
            Ok(store) => {
                for id in 0..claims {
                    assert_eq!(store.claim(&nonce(id), RETAIN, None), Ok(Claim::Replayed), "{}: {id}", file.display());
                }
                kept += 1;
            }
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{}: {error}", file.display()),
        }
    };
    for (file, bytes) in &whole {
        for cut in (0..bytes.len()).step_by(3) {
            attempt(file, &bytes[..cut]);
        }
        for bit in (0..8 * bytes.len()).step_by(13) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            attempt(file, &flipped);
        }
    }
    assert!(kept > 0 && refused > 0, "{kept} kept, {refused} refused");
}

#[test]
fn a_loss_that_is_accepted_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), Durability::Process);
    let store = open(&settings).unwrap();
    for id in 0..8 {
        store.claim(&nonce(id), RETAIN, None).unwrap();
    }
    drop(store);
    let log = settings.folder.join("1.log");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(open(&settings).map(drop), Err(OpenError::Damaged { .. })));
    settings.accept_loss = true;
    let lost_at = Some(Duration::from_millis(START_MS));
    let store = open(&settings).unwrap();
    assert_eq!(LocalStore::lost_at(&store), lost_at);
    assert_eq!(store.claim(&nonce(0), RETAIN, None), Ok(Claim::Replayed), "what could be read is there");
    drop(store);
    assert!(folder.path().join("store.damaged").is_dir(), "nothing is thrown away");
    settings.accept_loss = false;
    assert_eq!(LocalStore::lost_at(&open(&settings).unwrap()), lost_at, "after a restart too");
}

#[test]
fn one_process_has_it_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let first = open(&settings).unwrap();
    assert!(matches!(open(&settings).map(drop), Err(OpenError::InUse(_))));
    drop(first);
    assert!(open(&settings).is_ok());
    let foreign = tempfile::tempdir().unwrap();
    std::fs::create_dir(foreign.path().join("store")).unwrap();
    std::fs::write(foreign.path().join("store/notes"), "mine").unwrap();
    let settings = crate::subjects::settings(foreign.path(), Durability::Process);
    assert!(matches!(open(&settings).map(drop), Err(OpenError::NotAStore(_))));
}

/// Little is live, and so the disk holds little, however much came and went.
#[test]
fn the_log_is_rewritten() {
    let bound = 12 * 1024 * 1024;
    let subject: Arc<str> = "somebody".into();
    let window = Window { limit: 1_000_000, length: RETAIN };
    let draws = [Draw { quota: "q".into(), rule: QuotaRule::FixedWindow(window) }];
    for durability in [Durability::Process, Durability::Power] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), durability);
        let store = open(&settings).unwrap();
        store.claim(&nonce(7), RETAIN, None).unwrap();
        let rewritten = || !settings.folder.join("1.log").exists();
        let mut takes = 0;
        // Some 80 bytes each; the rewriting goes on beside them.
        while !rewritten() {
            store.take(&subject, &draws, 1).unwrap();
            takes += 1;
            assert!(takes < 1_000_000, "it is never rewritten");
        }
        let size: u64 = files(&settings.folder).iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(size < bound, "{size} bytes after {takes} takes");
        drop(store);
        let store = open(&settings).unwrap();
        assert_eq!(store.claim(&nonce(7), RETAIN, None), Ok(Claim::Replayed));
        assert_eq!(store.take(&subject, &draws, 0).unwrap().remaining, 1_000_000 - takes);
    }
}

/// A disk without room: a file size limit does as a full disk does.
#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let Some(mount) = small_file_system() else {
        barmkin_tests::harness::skip("a full disk", "this user may not mount a small file system");
        return;
    };
    let settings = settings(mount.path(), Durability::Process);
    let store = open(&settings).unwrap();
    let filler = mount.path().join("filler");
    std::fs::write(&filler, vec![1; 600 * 1024]).unwrap();
    let mut claimed = 0;
    let refusal = loop {
        match store.claim(&nonce(claimed), RETAIN, None) {
            Ok(claim) => assert_eq!(claim, Claim::FirstUse),
            Err(error) => break error,
        }
        claimed += 1;
        assert!(claimed < 1_000_000, "the disk is never full");
    };
    assert!(matches!(refusal, StoreError::Unavailable(_)), "{refusal}");
    assert!(store.claim(&nonce(claimed), RETAIN, None).is_err(), "what was refused was not claimed");
    assert_eq!(store.claim(&nonce(0), RETAIN, None), Ok(Claim::Replayed), "what was claimed stays so");
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(store.claim(&nonce(claimed), RETAIN, None), Ok(Claim::FirstUse));
    drop(store);
    let store = open(&settings).unwrap();
    for id in 0..=claimed {
        assert_eq!(store.claim(&nonce(id), RETAIN, None), Ok(Claim::Replayed), "{id}");
    }
}

/// A tmpfs of a megabyte, unmounted when it is dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn small_file_system() -> Option<Mount> {
    let folder = tempfile::tempdir().unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "barmkin-test"]).arg(folder.path());
    mount.output().is_ok_and(|mounted| mounted.status.success()).then(|| Mount(folder))
}

/// Requests that wait at once share a flush.
#[test]
fn answers_wait_for_the_disk_together() {
    let subject = Subject::new(Kind::EmbeddedPower);
    let Store::Remote(store) = subject.store.clone() else { panic!("it waits for the disk") };
    let firsts = block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|id| {
                let store = store.clone();
                tokio::spawn(async move { store.claim(&nonce(id), RETAIN, None).await })
            })
            .collect();
        let mut firsts = 0;
        for task in tasks {
            firsts += usize::from(task.await.unwrap() == Ok(Claim::FirstUse));
        }
        firsts
    });
    assert_eq!(firsts, 200);
    drop(store);
    let subject = subject.crash();
    for id in 0..200 {
        assert_eq!(subject.claim(&nonce(id), RETAIN, None), Ok(Claim::Replayed));
    }
}
