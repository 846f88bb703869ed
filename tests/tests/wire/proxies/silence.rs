//! A gate that says nothing, or nonsense: nothing passes.

use super::attacks::get;
use super::front::Front;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Longer than every check may take.
const CHECK: Duration = Duration::from_secs(30);

fn answered(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(CHECK)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_gate_that_never_answers_lets_nothing_through() {
    // Connections wait in its queue.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for front in Front::ALL {
        let Some(setup) = front.start_with(silent.local_addr().unwrap()) else { continue };
        let answer = answered(setup.address, &get("/public", ""));
        let status: u16 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        assert!(matches!(status, 403 | 500..=504), "{front:?}: {answer}");
        assert!(setup.origin.take().is_empty(), "{front:?}");
    }
}

#[test]
fn an_answer_that_is_no_verdict_lets_nothing_through() {
    for nonsense in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 500 Failed\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
    ] {
        let odd = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = odd.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in odd.incoming().flatten() {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let _ = stream.write_all(nonsense.as_bytes());
            }
        });
        for front in [Front::Nginx, Front::Caddy, Front::Haproxy, Front::EnvoyHttp] {
            let Some(setup) = front.start_with(address) else { continue };
            let answer = answered(setup.address, &get("/public", ""));
            assert!(
                !answer.contains("x-upstream") && setup.origin.take().is_empty(),
                "{front:?}, {nonsense}: {answer}"
            );
        }
    }
}

/// The body is the upstream's. A gate that had to read it would wait for it,
/// and one that does not would leave it to be read as the next call.
#[test]
fn a_call_carries_no_body() {
    for front in [Front::Nginx, Front::Caddy, Front::Haproxy, Front::EnvoyHttp] {
        let gate = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let Some(setup) = front.start_with(gate.local_addr().unwrap()) else { continue };
        let (sender, calls) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = gate.accept().unwrap();
            let mut call = Vec::new();
            let mut byte = [0];
            while !call.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                call.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Until the proxy closes: whatever else it sends is the call's.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read_to_end(&mut rest);
            let _ = sender.send((String::from_utf8_lossy(&call).to_lowercase(), rest));
        });
        let request =
            "POST /public HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
        let answer = answered(setup.address, request);
        assert!(answer.starts_with("HTTP/1.1 403"), "{front:?}: {answer}");
        let (call, rest) = calls.recv().unwrap();
        assert!(rest.is_empty(), "{front:?}: {rest:?}");
        assert!(!call.contains("transfer-encoding"), "{front:?}: {call}");
        assert!(!call.contains("content-length") || call.contains("content-length: 0\r\n"), "{front:?}: {call}");
        assert!(setup.origin.take().is_empty(), "{front:?}");
    }
}
