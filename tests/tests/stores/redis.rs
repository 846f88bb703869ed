//! Redis's own: the server's time, a server that may evict, that goes away and
//! comes back, and TLS.

use crate::claims::nonce;
use crate::subjects::{block_on, server};
use barmkin_host::{Claim, Draw, Gcra, NonceId, RemoteStore, StoreError};
use barmkin_store_redis::{OpenError, RedisStore, Settings};
use barmkin_tests::harness::{Redis, Tool};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RETAIN: Duration = Duration::from_secs(60);

pub(crate) async fn claim(store: &RedisStore, nonce: &NonceId) -> Result<Claim, StoreError> {
    store.claim(nonce, RETAIN, None).await
}

#[test]
fn the_servers_time_is_the_time() {
    let Some(server) = server("the server's time") else { return };
    block_on(async {
        let store = RedisStore::new(&Settings::new(server.url())).unwrap();
        let subject: Arc<str> = "somebody".into();
        let draws = [Draw { quota: "q".into(), rule: Gcra { interval: RETAIN, limit: 1 }.into() }];
        let take = store.take(&subject, &draws, 1).await.unwrap();
        let wall = std::time::UNIX_EPOCH.elapsed().unwrap();
        assert!(take.admitted && take.at.abs_diff(wall) < Duration::from_secs(10), "{take:?}");
        let refused = store.take(&subject, &draws, 1).await.unwrap();
        assert!(!refused.admitted && refused.retry_after.unwrap() <= RETAIN, "{refused:?}");
        store.give_back(&subject, &draws[0], 1, take.at).await.unwrap();
        assert!(store.take(&subject, &draws, 1).await.unwrap().admitted);
    });
}

#[test]
fn a_server_that_may_evict_is_not_used() {
    let Some(program) = Tool::Redis.find("a Redis that evicts") else { return };
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = Redis::start(&program, &["--maxmemory-policy", policy]);
        block_on(async {
            let store = RedisStore::new(&Settings::new(server.url())).unwrap();
            assert!(
                matches!(store.try_server().await, Err(OpenError::Evicts { policy: found, node: None }) if found == policy)
            );
            let error = claim(&store, &nonce(1)).await.unwrap_err();
            assert!(error.to_string().contains(policy), "{error}");
        });
    }
}

#[test]
fn it_comes_back_with_its_server() {
    let Some(program) = Tool::Redis.find("a Redis that goes away") else { return };
    let mut server = Redis::start(&program, &[]);
    block_on(async {
        let store = RedisStore::new(&Settings::new(server.url())).unwrap();
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::FirstUse));

        // Paused, it holds nobody up for long.
        server.signal("STOP");
        let began = Instant::now();
        assert!(matches!(claim(&store, &nonce(2)).await, Err(StoreError::Unavailable(_))));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        server.signal("CONT");
        // A call that was under way may have happened: then it is used, not free.
        back(&store, &nonce(3)).await;
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed));

        server.kill();
        assert!(matches!(claim(&store, &nonce(4)).await, Err(StoreError::Unavailable(_))));
        server.restart();
        back(&store, &nonce(5)).await;
    });
}

/// A server that forgot everything is not the one whose answers were relied on.
#[test]
fn a_server_that_forgot_says_so() {
    let Some(program) = Tool::Redis.find("a Redis that forgets") else { return };
    for keeps in [true, false] {
        let options: &[&str] = if keeps { &["--appendonly", "yes", "--appendfsync", "always"] } else { &[] };
        let mut server = Redis::start(&program, options);
        block_on(async {
            let store = RedisStore::new(&Settings::new(server.url())).unwrap();
            assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::FirstUse));
            assert_eq!(store.lost_at(), None);
            server.kill();
            assert!(claim(&store, &nonce(2)).await.is_err());
            server.restart();
            back(&store, &nonce(3)).await;
            assert_eq!(store.lost_at().is_some(), !keeps, "it keeps what it is given: {keeps}");
            // One that is new has lost nothing.
            let new = RedisStore::new(&Settings::new(server.url())).unwrap();
            back(&new, &nonce(4)).await;
            assert_eq!(new.lost_at(), None);
        });
    }
}

/// Asks until it answers.
pub(crate) async fn back(store: &RedisStore, nonce: &NonceId) {
    let began = Instant::now();
    while let Err(error) = claim(store, nonce).await {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not come back: {error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_password_and_tls() {
    let Some(program) = Tool::Redis.find("Redis with TLS") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(pki) = certificates(folder.path()) else {
        barmkin_tests::harness::skip("Redis with TLS", "there is no openssl to make certificates with");
        return;
    };
    let port = barmkin_tests::harness::free_address().port().to_string();
    let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.path().join(name).display().to_string());
    let authority = pki.display().to_string();
    let tls = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
    ];
    let _server =
        Redis::start(&program, &[&tls[..], &["--tls-auth-clients", "no", "--requirepass", "open sesame"]].concat());
    block_on(async {
        let mut settings = Settings::new(format!("rediss://localhost:{port}"));
        settings.timeout = Duration::from_secs(5);
        settings.tls.root_pem = Some(std::fs::read(&pki).unwrap());
        settings.password = Some("open sesame".to_owned());
        assert_eq!(claim(&RedisStore::new(&settings).unwrap(), &nonce(1)).await, Ok(Claim::FirstUse));
        settings.password = Some("guess".to_owned());
        settings.timeout = Duration::from_millis(500);
        assert!(claim(&RedisStore::new(&settings).unwrap(), &nonce(1)).await.is_err(), "the password is asked for");
        settings.password = Some("open sesame".to_owned());
        // Rotated while the store is in use.
        let store = RedisStore::new(&settings).unwrap();
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed));
        settings.password = Some("guess".to_owned());
        assert!(store.renew_credentials(&settings).await.is_err());
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed), "the former one stays in use");
        settings.password = Some("open sesame".to_owned());
        settings.timeout = Duration::from_secs(5);
        store.renew_credentials(&settings).await.unwrap();
        assert_eq!(claim(&store, &nonce(1)).await, Ok(Claim::Replayed));
        settings.tls.root_pem = None;
        assert!(claim(&RedisStore::new(&settings).unwrap(), &nonce(1)).await.is_err(), "nobody vouches for the server");
    });
}

/// An authority of its own, and a server's certificate by it.
fn certificates(folder: &Path) -> Option<PathBuf> {
    let openssl = |args: &[&str]| {
        Command::new("openssl").args(args).current_dir(folder).output().is_ok_and(|ran| ran.status.success())
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    let made = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
    ]) && openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
        "-subj",
        "/CN=localhost",
    ]) && openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "server.pem",
        "-days",
        "2",
        "-extfile",
        "names",
    ]);
    made.then(|| folder.join("ca.pem"))
}
