//! Load, by one thread over plain sockets.

use super::clock;
use crate::fixture::Deliveries;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The first bytes that every answer must have.
const ALLOWED: &[u8] = b"HTTP/1.1 200 ";

/// Connections to one server, and the deliveries that go over them.
pub(super) struct Load {
    connections: Vec<Connection>,
    deliveries: Deliveries,
    next: usize,
}

struct Connection {
    stream: TcpStream,
    waits: bool,
    answer: Vec<u8>,
}

impl Load {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> Result<Self> {
        Ok(Self { connections: connect(address, connections)?, deliveries: Deliveries::default(), next: 0 })
    }

    /// Goes on with other connections.
    pub(super) fn reconnect(&mut self, address: SocketAddr, connections: usize) -> Result<()> {
        self.connections = connect(address, connections)?;
        Ok(())
    }

    /// As much as the server takes: every connection always has a request under
    /// way. Returns how long `requests` of them took.
    pub(super) fn closed(&mut self, requests: usize) -> Result<Duration> {
        let began = clock::now();
        for _ in 0..requests {
            self.send()?;
        }
        self.finish()?;
        Ok(began.elapsed())
    }

    /// Requests at random times, `per_second` on average, whether or not earlier
    /// ones were answered.
    pub(super) fn open(&mut self, per_second: f64, lasting: Duration) -> Result<usize> {
        let began = clock::now();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut due = Duration::ZERO;
        let mut sent = 0;
        while due < lasting {
            while began.elapsed() < due {
                std::hint::spin_loop();
            }
            self.send()?;
            sent += 1;
            due += Duration::from_secs_f64(random.exponential() / per_second);
        }
        self.finish()?;
        Ok(sent)
    }

    /// On the connection whose turn it is; its last answer must be there first.
    fn send(&mut self) -> Result<()> {
        let request = self.deliveries.next(1024).into_bytes();
        self.next = (self.next + 1) % self.connections.len();
        let connection = self.connections.get_mut(self.next).context("there are connections")?;
        connection.hear()?;
        connection.stream.write_all(&request)?;
        connection.waits = true;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.connections.iter_mut().try_for_each(Connection::hear)
    }
}

fn connect(address: SocketAddr, connections: usize) -> Result<Vec<Connection>> {
    let connect = |_| -> Result<_> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, waits: false, answer: Vec::new() })
    };
    (0..connections).map(connect).collect()
}

impl Connection {
    /// Waits for the answer, if there is one to come. It has no body.
    fn hear(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.waits) {
            return Ok(());
        }
        self.answer.clear();
        let mut part = [0; 1024];
        while !self.answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the server hung up after {:?}", String::from_utf8_lossy(&self.answer));
            self.answer.extend_from_slice(part.get(..read).unwrap_or_default());
        }
        ensure!(self.answer.starts_with(ALLOWED), "the answer was {:?}", String::from_utf8_lossy(&self.answer));
        Ok(())
    }
}

/// xorshift64: the same arrivals in every run.
struct Random(u64);

impl Random {
    /// The time between two arrivals of a Poisson process of rate 1.
    fn exponential(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let uniform = ((self.0 >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -uniform.ln()
    }
}
