//! Commands over a plain connection: only the store names a client.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Some text, or a number.
    Text(String),
    /// Nothing.
    Nil,
    /// Several.
    List(Vec<Reply>),
    /// It refuses.
    Error(String),
}

impl Reply {
    /// The text of an answer that must be one.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is not text"),
        }
    }

    /// The answers of a list, which it must be.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => panic!("{other:?} is not a list"),
        }
    }
}

/// The answers to commands on one connection. An error must be looked for.
pub(super) fn ask(address: SocketAddr, commands: &[&[&str]]) -> Vec<Reply> {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    let mut stream = BufReader::new(stream);
    let words = |words: &&[&str]| {
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        words
    };
    commands
        .iter()
        .map(|command| {
            write!(stream.get_mut(), "*{}\r\n{}", command.len(), words(command)).expect("it takes a command");
            read(&mut stream)
        })
        .collect()
}

fn read(stream: &mut impl BufRead) -> Reply {
    let mut line = String::new();
    stream.read_line(&mut line).expect("an answer");
    let line = line.trim_end_matches("\r\n");
    let (kind, rest) = line.split_at_checked(1).expect("an answer");
    let length = || usize::try_from(rest.parse::<i64>().expect("a length")).ok();
    match kind {
        "-" => Reply::Error(rest.to_owned()),
        "$" => length().map_or(Reply::Nil, |length| {
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text).expect("the rest of an answer");
            text.truncate(length);
            Reply::Text(String::from_utf8_lossy(&text).into_owned())
        }),
        "*" => length().map_or(Reply::Nil, |length| Reply::List((0..length).map(|_| read(stream)).collect())),
        _ => Reply::Text(rest.to_owned()),
    }
}
