//! Sends cases through every proxy, and judges what arrives.

use super::front::{Front, Setup};
use super::judge;
use super::origin::Arrived;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take to begin, on a loaded machine. Some requests
/// have none: they never end.
const BEGIN: Duration = Duration::from_secs(6);

/// How long a server that keeps the connection is listened to after that.
const MORE: Duration = Duration::from_secs(1);

/// Demands on a case, besides that nothing arrives that must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Nothing arrives at all.
    Never,
    /// A request that arrives is judged.
    Judged,
    /// It arrives, once.
    Arrives,
}

/// Bytes for a proxy.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) expect: Expect,
}

/// A case that sends `bytes`.
pub(super) fn case(name: impl Into<String>, expect: Expect, bytes: impl AsRef<[u8]>) -> Case {
    Case { name: name.into(), bytes: bytes.as_ref().to_vec(), expect }
}

/// `GET target` with `fields`, each with its line end.
pub(super) fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: api.example.com\r\n{fields}Connection: close\r\n\r\n")
}

/// Sends `cases` one after the other through each proxy, and through all
/// proxies at once.
pub(super) fn attack(fronts: &[Front], cases: &[Case]) {
    let through = &|front: Front| -> Vec<String> {
        let Some(setup) = front.start() else { return Vec::new() };
        let faults = cases.iter().filter_map(|case| {
            let answer = exchange(&setup, &case.bytes);
            faults_of(case, &setup.origin.take(), &answer)
        });
        faults.map(|fault| format!("{front:?}: {fault}")).collect()
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = fronts.iter().map(|front| scope.spawn(move || through(*front))).collect();
        running.into_iter().flat_map(|running| running.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn faults_of(case: &Case, arrived: &[Arrived], answer: &str) -> Option<String> {
    if let Some(fault) = arrived.iter().find_map(judge::fault) {
        return Some(format!("`{}`: {fault}", case.name));
    }
    let first = answer.lines().next().unwrap_or_default();
    match case.expect {
        Expect::Never if !arrived.is_empty() => Some(format!("`{}` arrived: {arrived:?}", case.name)),
        Expect::Arrives if arrived.len() != 1 => {
            Some(format!("`{}` arrived {} times: {first}", case.name, arrived.len()))
        }
        _ => None,
    }
}

/// Sends `bytes`, and reads until the proxy closes or says no more.
pub(super) fn exchange(setup: &Setup, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(setup.address).unwrap();
    stream.set_read_timeout(Some(BEGIN)).unwrap();
    // A server that refuses early may not read the rest.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
        stream.set_read_timeout(Some(MORE)).unwrap();
    }
    String::from_utf8_lossy(&answer).into_owned()
}
