//! Records of release 0.1.0 still count: `tests/store/0.1.0` is the folder that
//! it left when it was killed.

use crate::subjects::{block_on, settings};
use barmkin_host::{Claim, Draw, Gcra, Hold, Holder, Lapse, LocalStore, NonceId, QuotaRule, RemoteStore, Window};
use barmkin_store_embedded::{Durability, EmbeddedStore};
use barmkin_store_redis::{RedisStore, Settings};
use barmkin_tests::harness::Redis;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
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
            let nonce = NonceId { space: "deliveries".into(), digest, former: None };
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

/// A gate of release 0.1.0, as far as Redis sees it: `tests/store/0.1.0-redis` is
/// what it runs there.
struct Former(BufReader<TcpStream>);

impl Former {
    fn connect(server: &Redis) -> Self {
        let address = server.url().trim_start_matches("redis://").trim_end_matches('/').to_owned();
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// Runs one of its scripts on the nonce that it calls `digest`.
    fn run(&mut self, script: &str, digest: [u8; 32], arguments: &[&str]) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/0.1.0-redis");
        let text = ["prelude.lua", script].map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).join("\n");
        let key = format!("barmkin:n:{{{}}}:deliveries", hex::encode(digest));
        let words = ["EVAL", &text, "1", &key].into_iter().chain(arguments.iter().copied());
        let words: Vec<_> = words.map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        write!(self.0.get_mut(), "*{}\r\n{}", words.len(), words.concat()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// 0: free, and claimed now. 1: held. 2: used.
    fn claim(&mut self, digest: [u8; 32], holder: &str) -> String {
        self.run("claim.lua", digest, &["", "3600000000", holder, "60000000", ""])
    }
}

/// Two releases on one server: of a delivery that both are sent, one lets it in.
#[test]
fn gates_of_two_releases_on_one_redis_agree() {
    let Some(server) = crate::subjects::server("two releases on one Redis") else { return };
    let store = block_on(async { RedisStore::new(&Settings::new(server.url())).unwrap() });
    let mut former = Former::connect(server);
    let delivery = |id: u8, sender: u8| NonceId {
        space: "deliveries".into(),
        digest: Sha256::digest([id, sender]).into(),
        former: Some(Sha256::digest([b'f', id]).into()),
    };
    let digest = |id| delivery(id, 0).former.unwrap();
    let hold = |holder| Some(Hold { holder: Holder(holder), lapse: Lapse::Free });
    let claim = |id, sender, holder| block_on(store.claim(&delivery(id, sender), DAY, hold(holder))).unwrap();

    // The former gate first: what it holds, and what it used.
    assert_eq!(former.claim(digest(1), "aa"), ":0");
    assert_eq!(claim(1, 0, 1), Claim::InProgress);
    former.run("confirm.lua", digest(1), &["aa"]);
    assert_eq!(claim(1, 0, 1), Claim::Replayed);
    assert_eq!(former.claim(digest(2), "aa"), ":0");
    former.run("release.lua", digest(2), &["aa"]);
    assert_eq!(claim(2, 0, 2), Claim::FirstUse, "it was given back");

    // This one first.
    assert_eq!(former.claim(digest(2), "bb"), ":1", "it is under way");
    block_on(store.renew(&delivery(2, 0), Holder(2))).unwrap();
    assert_eq!(former.claim(digest(2), "bb"), ":1");
    block_on(store.confirm(&delivery(2, 0), Holder(2))).unwrap();
    assert_eq!(former.claim(digest(2), "bb"), ":2", "it is used");
    assert_eq!(claim(2, 0, 3), Claim::Replayed);
    assert_eq!(claim(2, 1, 3), Claim::FirstUse, "another sender's equal bytes are another delivery here");
    block_on(store.release(&delivery(2, 1), Holder(3))).unwrap();
    assert_eq!(former.claim(digest(2), "bb"), ":2", "the first sender's is used still");
    assert_eq!(claim(3, 0, 4), Claim::FirstUse);
    block_on(store.release(&delivery(3, 0), Holder(4))).unwrap();
    assert_eq!(former.claim(digest(3), "bb"), ":0", "it was given back");
}

/// The same delivery as release 0.1.0 calls it, in a store of this machine.
#[test]
fn a_delivery_that_release_0_1_0_let_in_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let open = || EmbeddedStore::open_with_clock(&settings, || KILLED).unwrap();
    let as_it_was = NonceId { space: "deliveries".into(), digest: [1; 32], former: None };
    assert_eq!(open().claim(&as_it_was, DAY, None), Ok(Claim::FirstUse));
    let store = open();
    let now = NonceId { space: "deliveries".into(), digest: [2; 32], former: Some([1; 32]) };
    assert_eq!(store.claim(&now, DAY, None), Ok(Claim::Replayed));
    let another = NonceId { space: "deliveries".into(), digest: [2; 32], former: Some([3; 32]) };
    assert_eq!(store.claim(&another, DAY, None), Ok(Claim::FirstUse));
}
