//! A store that was lost: at no moment of replacing it is there an empty one
//! that nobody asked for, and what it may have accepted is refused afterwards.

use crate::subjects::{START_MS, block_on, settings};
use barmkin_host::{
    Algorithm, Body, Claim, Client, Draw, Engine, EngineSettings, FixedClock, Gate, Generation, Head, Hold, Holder,
    Key, KeyRing, LocalStore, Member, MemoryStore, NonceId, NonceSpace, OnError, PolicySpec, Reason, Route, Services,
    Spec, StoreError, Take,
};
use barmkin_store_embedded::{Durability, EmbeddedStore, OpenError, Settings};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

const START: Duration = Duration::from_millis(START_MS);

fn nonce(id: u8) -> NonceId {
    NonceId { space: "deliveries".into(), digest: [id; 32], former: None }
}

fn open(settings: &Settings) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open_with_clock(settings, || START)
}

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    folder.read_dir().unwrap().map(file).collect()
}

fn put(folder: &Path, files: &Files) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).unwrap();
    files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
}

/// A store with eight claims of which half the log is gone, before and after its
/// loss is accepted.
fn damaged(settings: &Settings) -> (Files, Files) {
    let store = open(settings).unwrap();
    for id in 0..8 {
        assert_eq!(store.claim(&nonce(id), DAY, None), Ok(Claim::FirstUse));
    }
    drop(store);
    let log = settings.folder.join("1.log");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    let before = files(&settings.folder);
    assert!(matches!(open(settings).map(drop), Err(OpenError::Damaged { .. })));
    drop(open(&Settings { accept_loss: true, ..settings.clone() }).unwrap());
    (before, files(&settings.folder))
}

/// The folders beside a store are as a kill leaves them between any two steps of
/// accepting a loss.
#[test]
fn a_crash_at_any_step_of_accepting_a_loss_loses_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let (before, after) = damaged(&settings);
    let [base, log] = [".base", ".log"].map(|kind| after.keys().find(|name| name.ends_with(kind)).unwrap());
    let with = |names: &[&String]| {
        let mut files = before.clone();
        files.extend(names.iter().map(|name| ((*name).clone(), after[*name].clone())));
        files
    };
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let mut part_of_base = before.clone();
    part_of_base.insert("new".to_owned(), half(&after[base]));
    let mut part_of_head = with(&[base, log]);
    part_of_head.insert("new".to_owned(), half(&after["head"]));
    let one_file: Files = before.iter().take(1).map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    let head = "head".to_owned();
    // The store, `.damaged.new`, `.damaged`, and whether the loss is accepted.
    type Step<'f> = (&'static str, &'f Files, Option<&'f Files>, Option<&'f Files>, bool);
    let steps: [Step<'_>; 9] = [
        ("nothing is done", &before, None, None, false),
        ("a folder is made", &before, Some(&Files::new()), None, false),
        ("a file is set aside", &before, Some(&one_file), None, false),
        ("all is set aside", &before, None, Some(&before), false),
        ("part of the base is written", &part_of_base, None, Some(&before), false),
        ("the base is there", &with(&[base]), None, Some(&before), false),
        ("the log is there", &with(&[base, log]), None, Some(&before), false),
        ("part of the head is written", &part_of_head, None, Some(&before), false),
        ("the head is replaced", &with(&[base, log, &head]), None, Some(&before), true),
    ];
    for (step, store, aside, damaged, is_accepted) in steps {
        let lay_out = || {
            put(&settings.folder, store);
            for (extension, files) in [("damaged.new", aside), ("damaged", damaged)] {
                let beside = folder.path().join(format!("store.{extension}"));
                let _ = std::fs::remove_dir_all(&beside);
                files.into_iter().for_each(|files| put(&beside, files));
            }
        };
        lay_out();
        match open(&settings) {
            Ok(store) => {
                assert!(is_accepted, "{step}: it opens");
                assert_eq!(LocalStore::lost_at(&store), Some(START), "{step}");
            }
            Err(OpenError::Damaged { .. }) => assert!(!is_accepted, "{step}"),
            Err(error) => panic!("{step}: {error}"),
        }
        lay_out();
        let store = open(&Settings { accept_loss: true, ..settings.clone() }).unwrap();
        assert_eq!(LocalStore::lost_at(&store), Some(START), "{step}");
        assert_eq!(store.claim(&nonce(0), DAY, None), Ok(Claim::Replayed), "{step}: what can be read is there");
        drop(store);
        let names: Vec<_> = files(&settings.folder).into_keys().collect();
        assert_eq!(names.len(), 4, "{step}: a base, a log, the head and the lock are left: {names:?}");
        assert_eq!(files(&folder.path().join("store.damaged"))["1.log"], before["1.log"], "{step}");
    }
}

/// Release 0.1.0 moved the damaged store away before it put the new one there.
#[test]
fn what_an_older_release_left_between_its_renames_is_no_new_store() {
    for has_new in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), Durability::Process);
        put(&folder.path().join("store.damaged"), &Files::new());
        if has_new {
            put(&folder.path().join("store.new"), &[("lock".to_owned(), Vec::new())].into());
        }
        assert!(matches!(open(&settings).map(drop), Err(OpenError::Missing { .. })));
        let store = open(&Settings { accept_loss: true, ..settings.clone() }).unwrap();
        assert_eq!(LocalStore::lost_at(&store), Some(START));
        drop(store);
        assert_eq!(LocalStore::lost_at(&open(&settings).unwrap()), Some(START), "after a restart too");
    }
}

/// A disk that is not mounted leaves an empty folder, or none.
#[test]
fn a_store_that_is_gone_does_not_begin_empty() {
    for leaves_folder in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), Durability::Process);
        drop(open(&settings).unwrap());
        std::fs::remove_dir_all(&settings.folder).unwrap();
        if leaves_folder {
            std::fs::create_dir(&settings.folder).unwrap();
        }
        let error = open(&settings).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
        assert!(error.help().unwrap().contains("--accept-loss"));
        let store = open(&Settings { accept_loss: true, ..settings.clone() }).unwrap();
        assert_eq!(LocalStore::lost_at(&store), Some(START));
    }
}

#[test]
fn nobody_else_can_read_or_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let modes = || {
        let of = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        let files = settings.folder.read_dir().unwrap().map(|file| of(&file.unwrap().path()));
        (of(&settings.folder), files.fold(0, |all, mode| all | mode))
    };
    drop(open(&settings).unwrap());
    assert_eq!(modes(), (0o700, 0o600));
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(&settings.folder, 0o755);
    set(&settings.folder.join("1.log"), 0o644);
    drop(open(&settings).unwrap());
    assert_eq!(modes(), (0o700, 0o600), "an older one is closed");
    for (folder, file) in [(0o777, 0o600), (0o755, 0o666)] {
        set(&settings.folder, folder);
        set(&settings.folder.join("1.log"), file);
        let error = open(&settings).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Exposed { .. }), "{error}");
    }
}

/// A store that lost what it knew at [`START`].
struct Lost(MemoryStore);

impl LocalStore for Lost {
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.0.claim(nonce, retain, hold)
    }

    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.renew(nonce, holder)
    }
    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.confirm(nonce, holder)
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.0.release(nonce, holder)
    }

    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        self.0.take(subject, draws, cost)
    }

    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError> {
        self.0.give_back(subject, draw, cost, at)
    }

    fn lost_at(&self) -> Option<Duration> {
        Some(START)
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

const SECRET: &[u8] = b"a secret of the tests";

/// Stripe's deliveries on every path, each once within `window`; `now` since
/// [`START`].
fn gate(store: impl LocalStore + 'static, window: &str, on_error: OnError, now_s: u64) -> Gate {
    let mut signed = PolicySpec::new(barmkin_stock::get("webhook-signature").unwrap().component);
    signed.settings = serde_json::json!({ "provider": "stripe" });
    signed.grants.keys = [("signing".to_owned(), "signing".to_owned())].into();
    signed.grants.vouch = true;
    let mut once = PolicySpec::new(barmkin_stock::get("replay-window").unwrap().component);
    once.settings = serde_json::json!({ "window": window });
    once.on_error = on_error;
    once.grants.nonces = [("deliveries".to_owned(), "deliveries".to_owned())].into();
    once.grants.sets = vec!["barmkin-duplicate".parse().unwrap()];
    let mut route = Route::new("all");
    route.chain = ["signed", "once"].map(|name| Member::Policy(name.to_owned())).to_vec();
    let spec = Spec {
        nonces: [("deliveries".to_owned(), NonceSpace::default())].into(),
        policies: [("signed".to_owned(), signed), ("once".to_owned(), once)].into(),
        routes: vec![route],
        ..Spec::default()
    };
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap();
    let mut services = Services::new(store);
    services.clock = Arc::new(FixedClock::at_unix_ms(START_MS + 1_000 * now_s));
    Gate::new(Generation::build(&ENGINE, &spec, &KeyRing::default().with("signing", key), services).unwrap())
}

/// The reason for refusing a delivery that was signed `signed_s` seconds after
/// [`START`].
fn deliver(gate: &Gate, signed_s: u64) -> String {
    let time = START.as_secs() + signed_s;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(format!("{time}.{{}}").as_bytes());
    let signature = format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()));
    let head = Head {
        method: Method::POST,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: "/".to_owned(),
        headers: HeaderMap::from_iter([("stripe-signature".parse().unwrap(), signature.parse().unwrap())]),
        client: Client::default(),
    };
    let verdict = block_on(gate.check(head, Body::Whole(bytes::Bytes::from_static(b"{}"))));
    verdict.reason().map_or_else(String::new, |reason| Reason::as_str(reason).to_owned())
}

/// Signatures are taken from 5 minutes ahead of the clock: before the loss they
/// were, too.
#[test]
fn what_was_signed_ahead_of_a_loss_is_refused_after_it() {
    for (now_s, signed_s, expected) in [
        (0, 0, "signed-before-loss"),
        (90, 90, "signed-before-loss"),
        (90, 300, "signed-before-loss"),
        (299, 299, "signed-before-loss"),
        // The window and a minute between clocks.
        (661, 661, ""),
    ] {
        let gate = gate(Lost(MemoryStore::default()), "10m", OnError::Abstain, now_s);
        assert_eq!(deliver(&gate, signed_s), expected, "signed {signed_s} s after the loss, at {now_s} s");
    }
}

/// The operator says for how long the store remembers. A nonce that would have to
/// be remembered longer is not taken, nor remembered for less.
#[test]
fn a_claim_beyond_what_is_retained_is_refused() {
    for on_error in [OnError::Deny, OnError::Abstain] {
        let longer = gate(MemoryStore::default(), "2d", on_error, 0);
        assert_eq!(deliver(&longer, 0), "retention-exceeded", "{on_error:?}");
        let shorter = gate(MemoryStore::default(), "10m", on_error, 0);
        assert_eq!(deliver(&shorter, 0), "");
        assert_eq!(deliver(&shorter, 0), "replayed");
    }
}
