//! Requests byte for byte: a client library would tidy up the very targets and
//! fields that are to be tried.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// How a body goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// With `content-length`, where there is a body.
    #[default]
    Length,
    /// In chunks of a few bytes.
    Chunked,
}

/// A request, to be sent as it stands.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The fields, in order, without those that frame the message.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// How the body is sent.
    pub framing: Framing,
}

impl Request {
    /// A request for `target` with a `host` field.
    pub fn new(method: &str, target: &str, host: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: vec![("host".to_owned(), host.into())],
            body: Vec::new(),
            framing: Framing::default(),
        }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With its body in chunks.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Sends it to `address` on a connection of its own, and reads the answer.
    ///
    /// # Errors
    /// When the server closes without an answer, or does not answer at all.
    pub fn send(&self, address: SocketAddr) -> std::io::Result<Response> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        self.send_over(stream)
    }

    /// The same from `source`, another address of this machine.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_from(&self, source: SocketAddr, address: SocketAddr) -> std::io::Result<Response> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&stream, &source)?;
        connect(&stream, &address)?;
        let stream = TcpStream::from(stream);
        stream.set_read_timeout(Some(ANSWER))?;
        self.send_over(stream)
    }

    /// Sends it over a connection, and reads the answer.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_over(&self, mut stream: impl Read + Write) -> std::io::Result<Response> {
        // A server that has refused the head may not read the body.
        let sent = stream.write_all(&self.bytes());
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        match Response::parse(&answer) {
            Some(response) => Ok(response),
            None => Err(sent.and(read.map(drop)).err().unwrap_or_else(|| std::io::ErrorKind::InvalidData.into())),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"connection: close\r\n");
        match self.framing {
            Framing::Length => {
                if !self.body.is_empty() || self.method == "POST" {
                    bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&self.body);
            }
            Framing::Chunked => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(7) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body, as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The first field `name` (lower case).
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = answer.split_at_checked(end)?;
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Self { status, fields, body: body.get(4..)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, Response};

    #[test]
    fn requests_go_out_as_written() {
        let request = Request::new("POST", "/a/../b", "x").with("X-Odd", [0xff]).with_body("12345678").chunked();
        let expected = b"POST /a/../b HTTP/1.1\r\nhost: x\r\nX-Odd: \xff\r\nconnection: close\r\n\
            transfer-encoding: chunked\r\n\r\n7\r\n1234567\r\n1\r\n8\r\n0\r\n\r\n";
        assert_eq!(request.bytes(), expected);
    }

    #[test]
    fn answers_are_read() {
        let response = Response::parse(b"HTTP/1.1 403 Forbidden\r\nBarmkin-Reason: x\r\n\r\nno").unwrap();
        assert_eq!((response.status, response.field("barmkin-reason"), &*response.body), (403, Some("x"), &b"no"[..]));
        assert!(Response::parse(b"").is_none());
    }
}
