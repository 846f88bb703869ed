//! The supervisor that started the gate, where it wants to hear how it is: systemd's
//! notification protocol (`sd_notify`, for units of `Type=notify`).

use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Requests are answered.
pub(crate) fn tell_ready() {
    tell("READY=1");
}

/// It was told to stop.
pub(crate) fn tell_stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    // A program that starts a process and waits for this sets it for that process.
    let Some(at) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = address(at.as_bytes()).and_then(|at| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &at));
    if let Err(error) = sent {
        tracing::warn!(%error, state, "the supervisor could not be told");
    }
}

/// A path, or a name that begins with `@` and is in no file system.
fn address(at: &[u8]) -> io::Result<SocketAddr> {
    match at {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    }
}
