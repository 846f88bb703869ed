//! Bytes to a server, and its answers: kept open for many requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take, on a loaded machine.
const ANSWER: Duration = Duration::from_secs(20);

/// An answer, without its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

impl Answer {
    /// Field `name`, in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Why the gate denied, if it did.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.field("barmkin-reason")
    }
}

/// A client that sends what it is told.
pub(crate) struct Connection {
    address: SocketAddr,
    open: Option<BufReader<TcpStream>>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Sends `request`, whole and without a body that is waited for, and reads
    /// the answer; `None` where the server closes without one.
    pub(crate) fn send(&mut self, request: &[u8]) -> Option<Answer> {
        let kept = self.open.is_some();
        let answer = self.try_send(request);
        if answer.is_some() || !kept {
            return answer;
        }
        // The server may have closed it between two requests.
        self.try_send(request)
    }

    fn try_send(&mut self, request: &[u8]) -> Option<Answer> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).expect("the server listens");
                stream.set_read_timeout(Some(ANSWER)).expect("a timeout");
                stream.set_nodelay(true).expect("no delay");
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(request).ok()?;
        let answer = read(&mut stream, request.to_ascii_uppercase().starts_with(b"HEAD "))?;
        let closes = answer.field("connection").is_some_and(|options| options.eq_ignore_ascii_case("close"));
        self.open = (!closes).then_some(stream);
        Some(answer)
    }
}

fn read(stream: &mut BufReader<TcpStream>, to_head: bool) -> Option<Answer> {
    let mut line = || {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).ok()?;
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    };
    let status = line()?.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, fields: Vec::new() };
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        answer.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if to_head || matches!(status, 204 | 304) {
        return Some(answer);
    }
    let length = answer.field("content-length").and_then(|length| length.parse().ok());
    match length {
        Some(length) => drop(std::io::copy(&mut stream.take(length), &mut std::io::sink())),
        None if answer.field("transfer-encoding").is_some() => skip_chunks(stream)?,
        None => drop(stream.read_to_end(&mut Vec::new())),
    }
    Some(answer)
}

fn skip_chunks(stream: &mut BufReader<TcpStream>) -> Option<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let size = u64::from_str_radix(line.trim(), 16).ok()?;
        std::io::copy(&mut stream.take(size + 2), &mut std::io::sink()).ok()?;
        if size == 0 {
            return Some(());
        }
    }
}
