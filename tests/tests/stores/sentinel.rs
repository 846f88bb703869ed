//! The master that sentinels name.

use crate::claims::nonce;
use crate::failover::{fail_over, settled};
use crate::redis::{back, claim};
use crate::subjects::block_on;
use barmkin_host::{Claim, RemoteStore};
use barmkin_store_redis::{RedisStore, Servers, Settings};
use barmkin_tests::harness::{MASTER, Redis, Reply, Sentinel, Tool, free_address};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn settings(sentinels: &[&Sentinel]) -> Settings {
    let mut settings = Settings::sentinel(MASTER, sentinels.iter().map(|sentinel| sentinel.url()));
    settings.timeout = Duration::from_secs(1);
    settings
}

/// A master, its replica, and a sentinel that knows both.
fn pair(program: &Path) -> (Redis, Redis, Sentinel) {
    let master = Redis::start(program, &[]);
    let replica = Redis::start_replica(program, &master);
    let sentinel = Sentinel::start(program, &master);
    sentinel.wait_for_replica();
    (master, replica, sentinel)
}

#[test]
fn only_what_the_replica_did_not_hear_of_is_let_in_twice_after_a_failover() {
    let Some(program) = Tool::Redis.find("a failover by a sentinel") else { return };
    let (mut master, replica, sentinel) = pair(&program);
    block_on(async {
        let store = || Arc::new(RedisStore::new(&settings(&[&sentinel])).unwrap());
        let stores = [store(), store()];
        for store in &stores {
            back(store, &nonce(1)).await;
        }
        fail_over(stores, &mut master, &replica, "key").await;
    });
}

#[test]
fn a_failover_that_waits_for_the_replica_loses_nothing() {
    let Some(program) = Tool::Redis.find("a planned failover") else { return };
    let (master, _replica, sentinel) = pair(&program);
    block_on(async {
        let store = RedisStore::new(&settings(&[&sentinel])).unwrap();
        for id in 0..50 {
            assert_eq!(settled(&store, &nonce(id)).await, Claim::FirstUse);
        }
        master.ask_all(&[&["SET", "key", "now"], &["WAIT", "1", "10000"]]);
        assert_eq!(sentinel.ask(&["SENTINEL", "FAILOVER", MASTER]), Reply::Text("OK".to_owned()));
        // The former master goes on as a replica, and is not used as one.
        let became_replica = || master.ask(&["ROLE"]).list()[0].text() == "slave";
        let began = Instant::now();
        while !became_replica() {
            assert!(began.elapsed() < Duration::from_secs(60), "the sentinel does not change the master");
            let _ = claim(&store, &nonce(0)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(settled(&store, &nonce(50)).await, Claim::FirstUse);
        for id in 0..=50 {
            assert_eq!(settled(&store, &nonce(id)).await, Claim::Replayed, "{id}");
        }
        assert_eq!(store.lost_at(), None);
    });
}

/// Gates log in as `gate`.
const USER: [&str; 7] = ["ACL", "SETUSER", "gate", "on", ">sesame", "~*", "+@all"];

fn as_gate(mut settings: Settings) -> Settings {
    (settings.username, settings.password) = (Some("gate".to_owned()), Some("sesame".to_owned()));
    let Servers::Sentinel(sentinels) = &mut settings.servers else { panic!("sentinels") };
    (sentinels.username, sentinels.password) = (settings.username.clone(), settings.password.clone());
    settings
}

/// It takes writes still, but the sentinel names another.
#[test]
fn a_former_master_that_still_answers_is_left() {
    let Some(program) = Tool::Redis.find("a sentinel that names another master") else { return };
    let [former, other] = [(); 2].map(|()| Redis::start(&program, &[]));
    let sentinel = Sentinel::start(&program, &former);
    for answer in [former.ask(&USER), other.ask(&USER), sentinel.ask(&USER)] {
        assert_eq!(answer.text(), "OK");
    }
    block_on(async {
        let store = RedisStore::new(&as_gate(settings(&[&sentinel]))).unwrap();
        back(&store, &nonce(1)).await;
        assert_eq!([former.connections("gate"), other.connections("gate")], [1, 0]);
        sentinel.watch(&other);
        // Nobody asks it anything meanwhile.
        let began = Instant::now();
        while former.connections("gate") > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "it stays with the former master");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The other never heard of what was used: what was signed before is refused.
        assert_eq!(settled(&store, &nonce(2)).await, Claim::FirstUse);
        assert!(store.lost_at().is_some());
        assert_eq!([former.connections("gate"), other.connections("gate")], [0, 1]);
    });
}

#[test]
fn a_gate_has_one_connection_to_the_master_and_one_to_each_sentinel() {
    let Some(program) = Tool::Redis.find("connections to sentinels") else { return };
    let master = Redis::start(&program, &[]);
    let sentinels = [(); 2].map(|()| Sentinel::start(&program, &master));
    for answer in [master.ask(&USER), sentinels[0].ask(&USER), sentinels[1].ask(&USER)] {
        assert_eq!(answer.text(), "OK");
    }
    block_on(async {
        let settings = as_gate(settings(&sentinels.each_ref()));
        let stores = [(); 3].map(|()| Arc::new(RedisStore::new(&settings).unwrap()));
        for _ in 0..2 {
            let claims: Vec<_> = stores
                .iter()
                .flat_map(|store| (0..100).map(|id| (store.clone(), id)))
                .map(|(store, id)| tokio::spawn(async move { settled(&store, &nonce(id)).await }))
                .collect();
            for claim in claims {
                claim.await.unwrap();
            }
            let all = [master.connections("gate"), sentinels[0].connections("gate"), sentinels[1].connections("gate")];
            assert_eq!(all, [stores.len(); 3]);
            // They look at the sentinels every second.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    });
}

#[test]
fn a_sentinel_that_does_not_answer_or_knows_nothing_is_not_needed() {
    let Some(program) = Tool::Redis.find("sentinels that do not answer") else { return };
    let master = Redis::start(&program, &[]);
    let sentinel = Sentinel::start(&program, &master);
    block_on(async {
        let mut settings = settings(&[&sentinel]);
        if let Servers::Sentinel(sentinels) = &mut settings.servers {
            sentinels.addresses.insert(0, format!("redis://{}", free_address()));
        }
        let store = RedisStore::new(&settings).unwrap();
        back(&store, &nonce(1)).await;
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed));
        if let Servers::Sentinel(sentinels) = &mut settings.servers {
            sentinels.master = "another".to_owned();
        }
        let store = RedisStore::new(&settings).unwrap();
        let error = claim(&store, &nonce(2)).await.unwrap_err().to_string();
        assert!(error.contains("no sentinel of Redis names the master `another`"), "{error}");
    });
}

/// Both passwords can be rotated while the store is in use.
#[test]
fn passwords_of_sentinels_and_the_master_are_their_own() {
    let Some(program) = Tool::Redis.find("a sentinel with a password") else { return };
    let master = Redis::start(&program, &["--requirepass", "open"]);
    let sentinel = Sentinel::start(&program, &master);
    let next = ["ACL", "SETUSER", "next", "on", ">later", "~*", "+@all"];
    for answer in master.ask_all(&[&["AUTH", "open"], &next]).into_iter().chain([sentinel.ask(&USER)]) {
        assert_eq!(answer.text(), "OK");
    }
    block_on(async {
        let mut settings = as_gate(settings(&[&sentinel]));
        (settings.username, settings.password) = (None, Some("open".to_owned()));
        let store = RedisStore::new(&settings).unwrap();
        back(&store, &nonce(1)).await;
        let former = settings.clone();
        settings.password = Some("guess".to_owned());
        assert!(store.renew_credentials(&settings).await.is_err());
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed), "the former one stays in use");
        (settings.username, settings.password) = (Some("next".to_owned()), Some("later".to_owned()));
        store.renew_credentials(&settings).await.unwrap();
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed));
        let list = master.ask_all(&[&["AUTH", "open"], &["CLIENT", "LIST"]]).pop().unwrap();
        assert!(list.text().contains("user=next"), "{list:?}");
        let mut wrong = former;
        if let Servers::Sentinel(sentinels) = &mut wrong.servers {
            sentinels.password = Some("guess".to_owned());
        }
        assert!(claim(&RedisStore::new(&wrong).unwrap(), &nonce(1)).await.is_err(), "sentinels ask for theirs");
    });
}
