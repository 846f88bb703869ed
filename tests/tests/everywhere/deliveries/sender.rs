//! The sender of deliveries.

use super::upstream::Fails;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A delivery, to the route of a `keep` and an `on-duplicate`.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) keep: &'static str,
    pub(crate) duplicate: &'static str,
}

impl Delivery {
    pub(crate) fn new(keep: &str, duplicate: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let named = |name: &str, of: [&'static str; 4]| of.into_iter().find(|known| *known == name).unwrap();
        Self {
            id: format!("m{}", NEXT.fetch_add(1, Ordering::SeqCst)),
            keep: named(keep, super::KEEPS),
            duplicate: named(duplicate, super::DUPLICATES),
        }
    }

    fn request(&self, fails: Fails) -> String {
        let Self { id, keep, duplicate } = self;
        let fails = fails.name();
        format!(
            "POST /{keep}-{duplicate} HTTP/1.1\r\nhost: gate.test\r\nx-id: {id}\r\nx-fails: {fails}\r\n\
             x-script-0: facts:{id}\r\nx-script-0: allow:sender\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    }
}

/// An answer, as a sender sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) reason: Option<String>,
}

/// Sends a delivery; `None` where nothing came back.
pub(crate) fn send(to: SocketAddr, delivery: &Delivery, fails: Fails) -> Option<Seen> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(delivery.request(fails).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let reason = answer.lines().find_map(|line| line.strip_prefix("barmkin-reason: ")).map(str::to_owned);
    Some(Seen { status, reason })
}

/// Sends a delivery, and hangs up once it is under way.
pub(crate) fn hang_up(to: SocketAddr, delivery: &Delivery, fails: Fails, is_under_way: impl Fn() -> bool) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(delivery.request(fails).as_bytes()).unwrap();
    wait_until(is_under_way);
}

/// Tries until it is not told that another attempt is in progress.
pub(crate) fn until_decided(attempt: impl Fn() -> Option<Seen>) -> Seen {
    let mut seen = None;
    wait_until(|| {
        let last = seen.insert(attempt().expect("an answer"));
        last.reason.as_deref() != Some("in-progress")
    });
    seen.unwrap()
}

pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}
