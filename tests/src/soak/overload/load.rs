//! Load by one thread over plain sockets, which is to cost less than what it
//! asks for.

use super::answer::{self, Answer};
use anyhow::{Context, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longer than that is no answer.
const PATIENCE: Duration = Duration::from_secs(60);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: gate\r\nx-api-key: reader-key\r\nx-forwarded-method: GET\r\n\
    x-forwarded-uri: /v1/items\r\nx-forwarded-host: api.example.com\r\nx-forwarded-proto: https\r\n\r\n";

/// When requests are sent.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// As soon as a connection has its answer.
    AtOnce,
    /// This many a second, whatever the fate of those before. A request that could
    /// not be sent in time, for want of a connection or of this thread's turn, is
    /// sent as soon as it can be: the load stays.
    PerSecond(f64),
}

/// The answers that came.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) asked: usize,
    /// How long each took, from the moment that it was sent.
    pub(super) admitted: Vec<Duration>,
    pub(super) overloaded: usize,
    /// Other answers, requests without any, and connections that were closed.
    pub(super) other: usize,
}

/// Connections that are kept.
pub(super) struct Load {
    epoll: Epoll,
    /// One that fails is closed.
    connections: Vec<Option<Connection>>,
    /// Those without a request under way. Who has rested longest is next: the
    /// gate closes those that rest too long.
    idle: VecDeque<usize>,
    under_way: usize,
}

struct Connection {
    stream: TcpStream,
    /// When, if its request is under way.
    asked: Option<Instant>,
    read: Vec<u8>,
}

impl Load {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let connect = |number| -> Result<_> {
            let stream = TcpStream::connect(address).context("the gate takes connections")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
            Ok(Some(Connection { stream, asked: None, read: Vec::new() }))
        };
        let open = (0..connections as u64).map(connect).collect::<Result<_>>()?;
        Ok(Self { epoll, connections: open, idle: (0..connections).collect(), under_way: 0 })
    }

    /// Asks for `span`, and then waits for what is under way.
    pub(super) fn ask(&mut self, pace: Pace, span: Duration) -> Result<Answers> {
        let mut answers = Answers::default();
        let began = now();
        loop {
            let elapsed = began.elapsed();
            if elapsed < span {
                let due = match pace {
                    Pace::AtOnce => usize::MAX,
                    Pace::PerSecond(rate) => (elapsed.as_secs_f64() * rate) as usize,
                };
                while answers.asked < due
                    && let Some(number) = self.idle.pop_front()
                {
                    self.send(number, &mut answers);
                }
            } else if self.under_way == 0 {
                return Ok(answers);
            } else if elapsed > span + PATIENCE {
                answers.other += self.under_way;
                return Ok(answers);
            }
            self.hear(&mut answers)?;
        }
    }

    fn send(&mut self, number: usize, answers: &mut Answers) {
        let slot = &mut self.connections[number];
        let Some(connection) = slot else { return };
        answers.asked += 1;
        // It fits: there is nothing else in the socket.
        if connection.stream.write(REQUEST).is_ok_and(|written| written == REQUEST.len()) {
            connection.asked = Some(now());
            self.under_way += 1;
        } else {
            answers.other += 1;
            *slot = None;
        }
    }

    /// Takes the answers that are there, and waits a moment if there are none.
    fn hear(&mut self, answers: &mut Answers) -> Result<()> {
        let mut events = [EpollEvent::empty(); 64];
        let ready = self.epoll.wait(&mut events, EpollTimeout::from(1_u8))?;
        for event in &events[..ready] {
            let number = usize::try_from(event.data())?;
            let slot = &mut self.connections[number];
            let Some(connection) = slot else { continue };
            let heard = connection.hear();
            if let Ok(None) = heard {
                continue;
            }
            let asked = connection.asked.take();
            self.under_way -= usize::from(asked.is_some());
            match (heard, asked) {
                (Ok(Some(Answer::Admitted)), Some(asked)) => answers.admitted.push(asked.elapsed()),
                (Ok(Some(Answer::Overloaded)), Some(_)) => answers.overloaded += 1,
                _ => {
                    answers.other += 1;
                    *slot = None;
                    continue;
                }
            }
            self.idle.push_back(number);
        }
        Ok(())
    }
}

impl Connection {
    /// The answer, if it is whole.
    fn hear(&mut self) -> io::Result<Option<Answer>> {
        let mut part = [0; 2_048];
        let read = self.stream.read(&mut part)?;
        self.read.extend_from_slice(&part[..read]);
        match answer::read(&self.read) {
            None if read == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Ok(None),
            // Nobody asked for more.
            Some((_, length)) if length < self.read.len() => Err(io::ErrorKind::InvalidData.into()),
            Some((answer, _)) => {
                self.read.clear();
                Ok(Some(answer))
            }
        }
    }
}

impl Answers {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.asked += other.asked;
        self.admitted.extend(other.admitted);
        self.overloaded += other.overloaded;
        self.other += other.other;
        self
    }
}

#[expect(clippy::disallowed_methods, reason = "what it measures")]
fn now() -> Instant {
    Instant::now()
}
