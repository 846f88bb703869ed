//! The server behind: at a delivery's first attempt it fails as the sender asks it
//! to, and takes every further one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long it takes for a delivery whose sender hangs up.
const SLOW: Duration = Duration::from_millis(800);

/// How long it takes for deliveries that are under way when the gate is killed: all
/// of them have to have come, on a machine that is busy with more.
const HELD: Duration = Duration::from_millis(5_500);

/// Longer than the gate waits for it.
const TOO_LONG: Duration = Duration::from_secs(8);

/// The ways in which a delivery fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fails {
    Nothing,
    Status(u16),
    Refused,
    Reset,
    BreaksOff,
    TimesOut,
    HangsUp,
    Held,
}

impl Fails {
    pub(crate) const ALL: [Self; 8] = [
        Self::Status(500),
        Self::Status(404),
        Self::Status(429),
        Self::Refused,
        Self::Reset,
        Self::BreaksOff,
        Self::TimesOut,
        Self::HangsUp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Status(404) => "404",
            Self::Status(429) => "429",
            Self::Status(_) => "500",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::BreaksOff => "breaks off",
            Self::TimesOut => "time-out",
            Self::HangsUp => "sender hangs up",
            Self::Held => "held",
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Upstream {
    address: Option<SocketAddr>,
    seen: Arc<Mutex<HashMap<String, Received>>>,
}

/// How much it has seen of a delivery.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) times: usize,
    /// Whether it has done what it is for, and said so.
    pub(crate) taken: bool,
    /// Whether the last attempt was marked as a repeated one.
    pub(crate) marked: bool,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let this = Self { address: Some(listener.local_addr().unwrap()), ..Self::default() };
        let serving = this.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        this
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    pub(crate) fn received(&self, id: &str) -> Received {
        self.seen.lock().unwrap().get(id).copied().unwrap_or_default()
    }

    pub(crate) fn has_seen(&self, id: &str) -> bool {
        self.received(id).times > 0
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut fields = HashMap::new();
        for line in BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok).take_while(|l| !l.is_empty())
        {
            if let Some((name, value)) = line.split_once(": ") {
                fields.insert(name.to_ascii_lowercase(), value.to_owned());
            }
        }
        // Proxies look whether somebody is there.
        let id = fields.get("x-id")?.clone();
        let first = {
            let mut seen = self.seen.lock().unwrap();
            let received = seen.entry(id.clone()).or_default();
            received.times += 1;
            received.marked = fields.contains_key("barmkin-duplicate");
            received.times == 1
        };
        let fails = fields.get("x-fails").filter(|_| first).map_or("nothing", String::as_str);
        let whole = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        match fails {
            "500" | "404" | "429" => stream.write_all(whole(&format!("{fails} Failed")).as_bytes()).ok(),
            "reset" => rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).ok(),
            "breaks off" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").ok(),
            "time-out" => {
                std::thread::sleep(TOO_LONG);
                None
            }
            slow => {
                match slow {
                    "sender hangs up" => std::thread::sleep(SLOW),
                    "held" => std::thread::sleep(HELD),
                    _ => {}
                }
                self.seen.lock().unwrap().entry(id).or_default().taken = true;
                stream.write_all(whole("200 OK").as_bytes()).ok()
            }
        }
    }
}
