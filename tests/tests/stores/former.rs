//! What release 0.1.0 wrote down still counts: `tests/store/0.1.0` is the folder
//! that it left when it was killed.

use crate::subjects::settings;
use barmkin_host::{Claim, Draw, Gcra, LocalStore, NonceId, QuotaRule, Window};
use barmkin_store_embedded::{Durability, EmbeddedStore};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Some seconds after the last record.
const KILLED: Duration = Duration::from_secs(1_795_736_120);

/// Two deliveries were let in, and one client had three requests on a quota of
/// five a day, by GCRA and in a sliding window.
#[test]
fn what_release_0_1_0_counted_counts_and_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    std::fs::create_dir(&settings.folder).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/0.1.0");
    for file in kept.read_dir().unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), settings.folder.join(file.file_name())).unwrap();
    }
    let names_somebody = || {
        let files = settings.folder.read_dir().unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(9).any(|window| window == b"127.0.0.1"))
    };
    assert!(names_somebody(), "else this shows nothing");
    for round in 0..2 {
        let store = EmbeddedStore::open_with_clock(&settings, || KILLED).unwrap();
        for (body, expected) in
            [("{\"delivery\":1}", Claim::Replayed), ("{\"delivery\":2}", Claim::Replayed), ("{}", Claim::FirstUse)]
        {
            let body = if round == 1 && expected == Claim::FirstUse { "{\"another\":1}" } else { body };
            let digest = Sha256::new().chain_update(b"signature\0").chain_update(body).finalize().into();
            let nonce = NonceId { space: "deliveries".into(), digest };
            assert_eq!(store.claim(&nonce, DAY, None), Ok(expected), "{body}");
        }
        let rules: [(&str, QuotaRule); 2] = [
            ("per-client", Gcra { interval: DAY / 5, limit: 5 }.into()),
            ("sliding", QuotaRule::SlidingWindow(Window { limit: 5, length: DAY })),
        ];
        for (quota, rule) in rules {
            let draws = [Draw { quota: quota.into(), rule }];
            let take = store.take(&"address\x00127.0.0.1".into(), &draws, 0).unwrap();
            assert_eq!(take.remaining, 2, "{quota}: of five, three were taken");
        }
        // Its log is rewritten, and not only when it has grown.
        drop(store);
        assert!(!names_somebody(), "the subject is still there in clear");
    }
}
