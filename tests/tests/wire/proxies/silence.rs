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
