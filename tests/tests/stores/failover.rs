//! A failover during traffic: what is let in twice is what the new master cannot
//! have heard of, and nothing else.

use barmkin_host::{Claim, NonceId, RemoteStore};
use barmkin_store_redis::RedisStore;
use barmkin_tests::harness::{Redis, Reply};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const RETAIN: Duration = Duration::from_secs(3600);

/// Claims under way at once, by two gates.
const TASKS: usize = 6;

/// Claims before the failover, between the last that the replica has and the end of
/// the master, and after it.
const CLAIMS: [usize; 3] = [200, 60, 200];

/// How long after its end nobody else can be the master: sentinels and clusters
/// of these tests wait for two seconds at least, and were answered in the last.
const NOBODY: Duration = Duration::from_millis(900);

/// A nonce, and when it was said to be used first, if it was.
type Claimed = (u64, Option<Instant>);

fn nonce(id: u64) -> NonceId {
    NonceId {
        space: "failover".into(),
        digest: <sha2::Sha256 as sha2::Digest>::digest(id.to_le_bytes()).into(),
        former: None,
    }
}

struct Traffic {
    stores: [Arc<RedisStore>; 2],
    next: AtomicU64,
    ends: AtomicBool,
    claimed: Mutex<Vec<Claimed>>,
}

impl Traffic {
    async fn claim(&self, task: usize) {
        let store = &self.stores[task % 2];
        while !self.ends.load(Ordering::SeqCst) {
            let id = self.next.fetch_add(1, Ordering::SeqCst);
            let answer = store.claim(&nonce(id), RETAIN, None).await;
            let first = match answer {
                Ok(Claim::FirstUse) => Some(Instant::now()),
                // It may have run: it counts as used, and was not let in.
                Err(_) => None,
                Ok(other) => panic!("nobody had {id}: {other:?}"),
            };
            self.claimed.lock().unwrap().push((id, first));
        }
    }

    /// Waits until this many `more` were let in.
    async fn wait_for(&self, more: usize) {
        let let_in = || self.claimed.lock().unwrap().iter().filter(|(_, first)| first.is_some()).count();
        let (before, began) = (let_in(), Instant::now());
        while let_in() < before + more {
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {more} were let in", let_in() - before);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Ends `master` while two gates use it, when `replica` could not hear of its last
/// writes. `key` is a key of the master's.
pub(crate) async fn fail_over(stores: [Arc<RedisStore>; 2], master: &mut Redis, replica: &Redis, key: &str) {
    let traffic =
        Arc::new(Traffic { stores, next: AtomicU64::new(0), ends: AtomicBool::new(false), claimed: Mutex::default() });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let traffic = traffic.clone();
            tokio::spawn(async move { traffic.claim(task).await })
        })
        .collect();
    let [before, between, after] = CLAIMS;
    traffic.wait_for(before).await;
    // What was acknowledged until now is on the replica: it has a later write.
    let known = Instant::now();
    let told = master.ask_all(&[&["SET", key, "now"], &["WAIT", "1", "10000"]]);
    assert_eq!(told, [Reply::Text("OK".to_owned()), Reply::Text("1".to_owned())]);
    replica.signal("STOP");
    master.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    traffic.wait_for(between).await;
    let ended = Instant::now();
    master.kill();
    replica.signal("CONT");
    traffic.wait_for(after).await;
    traffic.ends.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }

    let claimed = std::mem::take(&mut *traffic.claimed.lock().unwrap());
    let (mut lost, mut since) = (0, 0);
    for (id, first) in &claimed {
        // As an attacker would: to one gate after the other, twice.
        let mut again = 0;
        for round in 0..4 {
            let answer = settled(&traffic.stores[round % 2], &nonce(*id)).await;
            again += usize::from(answer == Claim::FirstUse);
        }
        match first {
            None => assert!(again <= 1, "{id} was let in {again} times, of which none was the first"),
            Some(first) if *first < known => assert_eq!(again, 0, "{id} was used long before"),
            Some(first) if *first < ended + NOBODY => {
                assert!(again <= 1, "{id} was let in {again} times more");
                lost += again;
            }
            Some(_) => {
                assert_eq!(again, 0, "{id} was used on the new master");
                since += 1;
            }
        }
    }
    assert!(lost > 0, "the master's last writes are lost, or this shows nothing");
    assert!(since > 0, "the new master was used, or this shows nothing");
    let unknown = claimed.iter().filter(|(_, first)| first.is_none()).count();
    println!("{} claims: {lost} let in twice, {unknown} refused, {since} by the new master", claimed.len());
    for store in &traffic.stores {
        assert_eq!(store.lost_at(), None, "the new master remembers since when the former did");
    }
}

/// Claims until there is an answer.
pub(crate) async fn settled(store: &RedisStore, nonce: &NonceId) -> Claim {
    let began = Instant::now();
    loop {
        match store.claim(nonce, RETAIN, None).await {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "there is no answer: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
