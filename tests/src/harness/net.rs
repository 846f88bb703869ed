//! Ports, and waiting for the servers that listen on them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a server may take to start, on a loaded machine.
const START: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// An address on which nobody listens, and none that was given before: for servers
/// that cannot say which port the system gave them.
pub fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        if GIVEN.lock().expect("nobody panics with the lock").insert(address.port()) {
            return address;
        }
    }
}

/// Waits until somebody accepts connections at `address`; false if nobody does
/// while `alive` says that it is worth waiting.
pub(super) fn wait_for(address: SocketAddr, mut alive: impl FnMut() -> bool) -> bool {
    wait_until(|| TcpStream::connect_timeout(&address, PAUSE).is_ok(), &mut alive)
}

/// Looks until `ready`; false if it never was.
pub(super) fn wait_until(mut ready: impl FnMut() -> bool, mut alive: impl FnMut() -> bool) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test waits for a real server")]
    let began = Instant::now();
    while !ready() {
        if !alive() || began.elapsed() > START {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}
