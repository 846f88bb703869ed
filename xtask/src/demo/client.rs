//! As little of an HTTP client as the demo needs.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The parts of an answer that the demo looks at.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: Option<String>,
}

/// Sends one request on a connection of its own.
pub(super) fn send(address: SocketAddr, line: &str, fields: &[(&str, &str)], body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let frame = format!("host: {address}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    write!(stream, "{line} HTTP/1.1\r\n{frame}{fields}\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).with_context(|| format!("`{line}` was not answered over HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let reason = fields.filter(|(name, _)| name.eq_ignore_ascii_case("barmkin-reason"));
    Some(Answer { status, reason: reason.map(|(_, value)| value.trim().to_owned()).next() })
}
