//! A cluster of Redis: masters that are asked each, slots that move, and masters
//! that go away.

use crate::claims::nonce;
use crate::failover::{fail_over, settled};
use crate::redis::{back, claim};
use crate::subjects::block_on;
use barmkin_host::{Claim, Draw, Gcra, NonceId, RemoteStore};
use barmkin_store_redis::{OpenError, RedisStore, Servers, Settings};
use barmkin_tests::harness::{RedisCluster, Reply, Tool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MASTERS: usize = 3;

fn settings(cluster: &RedisCluster) -> Settings {
    let mut settings = Settings::cluster(cluster.urls());
    settings.timeout = Duration::from_secs(2);
    settings
}

fn store(cluster: &RedisCluster) -> RedisStore {
    RedisStore::new(&settings(cluster)).unwrap()
}

/// The key of a nonce of the tests.
fn key(nonce: &NonceId) -> String {
    format!("barmkin:n:{{{}}}:{}", hex::encode(nonce.digest), nonce.space)
}

fn owner(cluster: &RedisCluster, nonce: &NonceId) -> usize {
    RedisCluster::first_owner(MASTERS, cluster.slot(&key(nonce)))
}

#[test]
fn gates_on_one_cluster_agree_and_see_all_of_it() {
    let Some(program) = Tool::Redis.find("two gates on a cluster") else { return };
    let cluster = RedisCluster::start(&program, MASTERS, &[]);
    block_on(async {
        // The others are found.
        let settings = [0, 1]
            .map(|node| Settings { servers: Servers::Cluster(vec![cluster.nodes[node].url()]), ..settings(&cluster) });
        let [one, other] = settings.map(|settings| RedisStore::new(&settings).unwrap());
        let owners: BTreeSet<_> = (0..60).map(|id| owner(&cluster, &nonce(id))).collect();
        assert_eq!(owners.len(), MASTERS, "else this shows nothing");
        for id in 0..60 {
            let (first, second) = if id % 2 == 0 { (&one, &other) } else { (&other, &one) };
            assert_eq!(settled(first, &nonce(id)).await, Claim::FirstUse);
            assert_eq!(settled(second, &nonce(id)).await, Claim::Replayed);
        }
        let subject: Arc<str> = "somebody".into();
        let rule = Gcra { interval: Duration::from_secs(3600), limit: 4 };
        let draws = ["a", "b"].map(|quota| Draw { quota: quota.into(), rule: rule.into() });
        for taken in 0..6 {
            let store = if taken % 2 == 0 { &one } else { &other };
            assert_eq!(store.take(&subject, &draws, 1).await.unwrap().admitted, taken < 4);
        }
        let listed: BTreeSet<_> = one.list("deliveries", 100).await.unwrap().iter().map(|nonce| nonce.digest).collect();
        assert_eq!(listed, (0..60).map(|id| [id; 32]).collect(), "what each of the masters has");
        assert!(other.forget("deliveries", &[7; 32]).await.unwrap());
        assert_eq!(settled(&one, &nonce(7)).await, Claim::FirstUse);
    });
}

#[test]
fn a_gate_has_one_connection_to_each_node() {
    let Some(program) = Tool::Redis.find("connections to a cluster") else { return };
    let mut cluster = RedisCluster::start(&program, MASTERS, &[]);
    cluster.add_replica(0);
    for node in &cluster.nodes {
        assert_eq!(node.ask(&["ACL", "SETUSER", "gate", "on", ">sesame", "~*", "+@all"]).text(), "OK");
    }
    block_on(async {
        let mut settings = settings(&cluster);
        (settings.username, settings.password) = (Some("gate".to_owned()), Some("sesame".to_owned()));
        let stores = [(); 3].map(|()| Arc::new(RedisStore::new(&settings).unwrap()));
        let claims: Vec<_> = stores
            .iter()
            .flat_map(|store| (0..200).map(|id| (store.clone(), id)))
            .map(|(store, id)| tokio::spawn(async move { settled(&store, &nonce(id)).await }))
            .collect();
        for claim in claims {
            claim.await.unwrap();
        }
        // Of its replica the nodes tell once it has something.
        let connections = || cluster.nodes.iter().map(|node| node.connections("gate")).collect::<Vec<_>>();
        let is_one_each = |connections: &[usize]| {
            let (masters, replicas) = connections.split_at(MASTERS);
            masters.iter().all(|some| *some == stores.len()) && replicas[0] <= stores.len()
        };
        assert!(is_one_each(&connections()), "{:?}", connections());
        // Other credentials take the place of the former.
        settings.password = Some("guess".to_owned());
        assert!(stores[0].renew_credentials(&settings).await.is_err());
        settings.password = Some("sesame".to_owned());
        stores[0].renew_credentials(&settings).await.unwrap();
        assert_eq!(settled(&stores[0], &nonce(0)).await, Claim::Replayed);
        let began = Instant::now();
        while !is_one_each(&connections()) {
            assert!(began.elapsed() < Duration::from_secs(10), "the former ones stay: {:?}", connections());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn each_master_is_asked_whether_it_may_evict() {
    let Some(program) = Tool::Redis.find("a cluster with a master that evicts") else { return };
    let cluster = RedisCluster::start(&program, MASTERS, &[]);
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        block_on(async {
            let store = store(&cluster);
            let address = node.address().to_string();
            let evicts = async || match store.try_server().await {
                Err(OpenError::Evicts { policy, node }) => Some((policy, node)),
                Ok(Err(error)) => panic!("{error}"),
                _ => None,
            };
            assert_eq!(evicts().await, Some(("allkeys-lru".to_owned(), Some(address.clone()))));
            for id in 0..10 {
                let error = claim(&store, &nonce(id)).await.unwrap_err().to_string();
                assert!(error.contains(&address), "{error}");
            }
        });
        node.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    }
}

/// From when its slot begins to move until it has moved.
#[test]
fn what_was_used_is_used_while_its_slot_moves() {
    let Some(program) = Tool::Redis.find("a slot that moves") else { return };
    let cluster = RedisCluster::start(&program, MASTERS, &[]);
    let [kept, new] = [nonce(1), nonce(2)];
    let delivery = |sender| NonceId { digest: [sender; 32], former: Some([9; 32]), ..nonce(0) };
    block_on(async {
        let stores = [(); 2].map(|()| store(&cluster));
        assert_eq!(settled(&stores[0], &kept).await, Claim::FirstUse);
        assert_eq!(settled(&stores[0], &delivery(3)).await, Claim::FirstUse);
        let moves: Vec<_> = [key(&kept), key(&new), key(&nonce(9))]
            .into_iter()
            .map(|key| {
                let slot = cluster.slot(&key);
                let from = RedisCluster::first_owner(MASTERS, slot);
                (slot.to_string(), from, (from + 1) % MASTERS)
            })
            .collect();
        let told = |node: usize, command: &[&str]| {
            let answer = cluster.nodes[node].ask(command);
            assert!(matches!(&answer, Reply::Text(text) if text == "OK" || text == "NOKEY"), "{command:?}: {answer:?}");
        };
        for (slot, from, to) in &moves {
            told(*to, &["CLUSTER", "SETSLOT", slot, "IMPORTING", &cluster.id(*from)]);
            told(*from, &["CLUSTER", "SETSLOT", slot, "MIGRATING", &cluster.id(*to)]);
        }
        // It is where it was, and what was not there goes to where it will be.
        assert_eq!(settled(&stores[1], &kept).await, Claim::Replayed);
        assert_eq!(settled(&stores[0], &new).await, Claim::FirstUse);
        assert_eq!(settled(&stores[1], &new).await, Claim::Replayed);
        // Of this one a part is here, and a part would be there.
        let error = claim(&stores[1], &delivery(4)).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("tryagain"), "{error}");
        for (slot, from, to) in &moves {
            let keys = cluster.nodes[*from].ask(&["CLUSTER", "GETKEYSINSLOT", slot, "10"]);
            let address = cluster.nodes[*to].address();
            for key in keys.list() {
                let port = address.port().to_string();
                told(*from, &["MIGRATE", &address.ip().to_string(), &port, key.text(), "0", "5000"]);
            }
            // What is not there any more is asked for where it went.
            let (kept, new) = (settled(&stores[1], &kept).await, settled(&stores[1], &new).await);
            assert_eq!((kept, new), (Claim::Replayed, Claim::Replayed));
            for node in [*to, *from] {
                told(node, &["CLUSTER", "SETSLOT", slot, "NODE", &cluster.id(*to)]);
            }
        }
        for store in &stores {
            assert_eq!(settled(store, &kept).await, Claim::Replayed);
            assert_eq!(settled(store, &new).await, Claim::Replayed);
            assert_eq!(settled(store, &delivery(3)).await, Claim::Replayed);
        }
        assert_eq!(settled(&stores[0], &delivery(4)).await, Claim::FirstUse, "another sender's");
        assert_eq!(settled(&stores[1], &delivery(4)).await, Claim::Replayed);
        assert_eq!(stores.each_ref().map(|store| store.lost_at()), [None, None]);
    });
}

/// While it is away nothing is let in, and it is noticed if it forgot.
#[test]
fn a_master_that_comes_back_is_asked_what_it_remembers() {
    let Some(program) = Tool::Redis.find("a master that comes back") else { return };
    for keeps in [true, false] {
        let options: &[&str] = if keeps { &["--appendonly", "yes", "--appendfsync", "always"] } else { &[] };
        let mut cluster = RedisCluster::start(&program, MASTERS, options);
        block_on(async {
            let store = store(&cluster);
            for id in 0..20 {
                assert_eq!(settled(&store, &nonce(id)).await, Claim::FirstUse);
            }
            let away = owner(&cluster, &nonce(0));
            cluster.nodes[away].kill();
            assert!(claim(&store, &nonce(0)).await.is_err());
            for id in 0..20 {
                // Its own are not answered, and the others are never free again.
                let answer = claim(&store, &nonce(id)).await;
                assert_ne!(answer, Ok(Claim::FirstUse), "{id}");
            }
            cluster.nodes[away].restart();
            cluster.wait();
            back(&store, &nonce(20)).await;
            assert_eq!(store.lost_at().is_some(), !keeps, "it keeps what it is given: {keeps}");
            for id in 0..20 {
                let forgot = !keeps && RedisCluster::first_owner(MASTERS, cluster.slot(&key(&nonce(id)))) == away;
                let expected = if forgot { Claim::FirstUse } else { Claim::Replayed };
                assert_eq!(settled(&store, &nonce(id)).await, expected, "{id}");
            }
        });
    }
}

/// It says nothing, and so its connections do not end.
#[test]
fn a_master_that_is_silent_holds_up_nobody_for_long_and_is_replaced() {
    let Some(program) = Tool::Redis.find("a silent master") else { return };
    let options = ["--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0"];
    let mut cluster = RedisCluster::start(&program, MASTERS, &options);
    cluster.add_replica(0);
    let settings = Settings { timeout: Duration::from_millis(500), ..settings(&cluster) };
    block_on(async {
        let store = RedisStore::new(&settings).unwrap();
        let id = (0..).find(|id| owner(&cluster, &nonce(*id)) == 0).unwrap();
        assert_eq!(settled(&store, &nonce(id)).await, Claim::FirstUse);
        assert_eq!(cluster.nodes[0].ask_all(&[&["SET", "bar", "now"], &["WAIT", "1", "10000"]])[1].text(), "1");
        cluster.nodes[0].signal("STOP");
        let began = Instant::now();
        assert!(claim(&store, &nonce(id)).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(settled(&store, &nonce(id)).await, Claim::Replayed, "its replica says so");
        cluster.nodes[0].signal("CONT");
        assert_eq!(settled(&store, &nonce(id)).await, Claim::Replayed);
        assert_eq!(store.lost_at(), None);
    });
}

#[test]
fn only_what_the_replica_did_not_hear_of_is_let_in_twice_after_a_failover() {
    let Some(program) = Tool::Redis.find("a failover in a cluster") else { return };
    let options = ["--cluster-node-timeout", "3000", "--cluster-replica-validity-factor", "0"];
    let mut cluster = RedisCluster::start(&program, MASTERS, &options);
    cluster.add_replica(0);
    block_on(async {
        let stores = [(); 2].map(|()| Arc::new(store(&cluster)));
        for store in &stores {
            back(store, &nonce(1)).await;
        }
        let (masters, replicas) = cluster.nodes.split_at_mut(MASTERS);
        fail_over(stores, &mut masters[0], &replicas[0], "bar").await;
    });
}
