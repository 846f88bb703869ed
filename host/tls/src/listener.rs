//! Ports and Unix sockets: reserved first, and listening when there is somebody to
//! answer.

use crate::accepted::{Accepted, THIS_MACHINE};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};

/// Connections that wait to be accepted: as many as Linux lets by default. What
/// finds no place among them is tried again by its client after a second, and who
/// connects in crowds would keep others out by that alone.
const BACKLOG: u32 = 4_096;

/// A port, or a Unix socket, that listens.
pub struct Listener(Kind);

enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, Option<SocketFile>),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        // It listens already, with a shorter queue if this fails.
        let _ = socket2::SockRef::from(&listener).listen(BACKLOG.cast_signed());
        Self(Kind::Tcp(listener))
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Kind::Unix(listener, None))
    }
}

impl Listener {
    /// The next connection, and its peer: [`THIS_MACHINE`] over a Unix socket.
    ///
    /// # Errors
    /// Whatever the system says.
    pub async fn accept(&self) -> io::Result<(Accepted, SocketAddr)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept().await.map(|(stream, peer)| (stream.into(), peer)),
            Kind::Unix(listener, _) => listener.accept().await.map(|(stream, _)| (stream.into(), THIS_MACHINE)),
        }
    }
}

/// As operators write it: `unix:` and a path, or an address and a port.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("a port"),
            },
            Kind::Unix(_, Some(file)) => write!(f, "unix:{}", file.path.display()),
            Kind::Unix(_, None) => f.write_str("a Unix socket"),
        }
    }
}

/// A port or a Unix socket that is taken, and at which nobody is answered yet:
/// connections are refused, as where no gate runs.
pub struct Reserved(Held);

enum Held {
    Tcp(TcpSocket),
    Unix { listener: std::os::unix::net::UnixListener, file: SocketFile, seen: PathBuf },
}

impl Reserved {
    /// Takes the port of `address`, a `host:port`.
    ///
    /// # Errors
    /// When somebody listens there, or whatever the system says.
    pub async fn port(address: &str) -> io::Result<Self> {
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in lookup_host(address).await? {
            match take(address) {
                Ok(socket) => return Ok(Self(Held::Tcp(socket))),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When somebody has begun to listen there meanwhile, or whatever the system
    /// says.
    pub fn listen(self) -> io::Result<Listener> {
        match self.0 {
            Held::Tcp(socket) => Ok(Listener(Kind::Tcp(socket.listen(BACKLOG)?))),
            Held::Unix { listener, mut file, seen } => {
                expect_nobody(&seen)?;
                std::fs::rename(&file.path, &seen)?;
                file.path = seen;
                listener.set_nonblocking(true)?;
                Ok(Listener(Kind::Unix(UnixListener::from_std(listener)?, Some(file))))
            }
        }
    }
}

fn take(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a gate before this one may linger; one that listens is still
    // found.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A Unix socket, and who may connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits, such as `0o660`.
    pub mode: u32,
    /// The id of the group that owns it, if not the process's own.
    pub group: Option<u32>,
}

impl UnixSocket {
    /// Listens. A socket that a process left behind is replaced; the new one
    /// is seen only when its permissions are set.
    ///
    /// # Errors
    /// `AddrInUse` when a process listens there, `AlreadyExists` when the path
    /// is no socket, or whatever the system says.
    pub fn bind(&self) -> io::Result<Listener> {
        self.reserve()?.listen()
    }

    /// The same in two steps: until it listens, nobody sees it.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn reserve(&self) -> io::Result<Reserved> {
        expect_nobody(&self.path)?;
        let mut unseen = self.path.clone().into_os_string();
        unseen.push(format!(".{}", std::process::id()));
        let unseen = PathBuf::from(unseen);
        // Of a process that had this id and was killed.
        if identity(&unseen).is_some() {
            std::fs::remove_file(&unseen)?;
        }
        let listener = std::os::unix::net::UnixListener::bind(&unseen)?;
        let file = SocketFile { identity: identity(&unseen), path: unseen };
        let _ = socket2::SockRef::from(&listener).listen(BACKLOG.cast_signed());
        chown(&file.path, None, self.group)?;
        std::fs::set_permissions(&file.path, PermissionsExt::from_mode(self.mode))?;
        Ok(Reserved(Held::Unix { listener, file, seen: self.path.clone() }))
    }
}

/// Makes sure that nothing is at `path` but a socket that nobody listens at.
fn expect_nobody(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is not a socket is there"))
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => Err(io::ErrorKind::AddrInUse.into()),
        _ => Ok(()),
    }
}

/// The file of a socket, which goes with it, if it is still this one: another gate
/// may listen there by then.
struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // It may be gone already.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok().filter(|found| found.file_type().is_socket())?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Reserved, UnixSocket};
    use std::io::ErrorKind;
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    fn socket(folder: &tempfile::TempDir) -> UnixSocket {
        UnixSocket { path: folder.path().join("gate.sock"), mode: 0o600, group: None }
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = socket(&folder);
        let live = socket.bind().unwrap();
        let mode = std::fs::metadata(&socket.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(socket.bind().err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        assert_eq!(live.to_string(), format!("unix:{}", socket.path.display()));
        drop(live);
        assert!(!socket.path.exists(), "it goes with its listener");
        drop(std::os::unix::net::UnixListener::bind(&socket.path).unwrap());
        assert!(socket.path.exists(), "left behind");
        socket.bind().unwrap();
    }

    #[tokio::test]
    async fn a_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = socket(&folder);
        std::fs::write(&socket.path, "kept").unwrap();
        assert_eq!(socket.bind().err().map(|error| error.kind()), Some(ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read(&socket.path).unwrap(), b"kept");
    }

    #[tokio::test]
    async fn what_is_reserved_is_not_seen_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let socket = socket(&folder);
        let reserved = socket.reserve().unwrap();
        assert!(UnixStream::connect(&socket.path).is_err());
        drop(reserved);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let reserved = socket.reserve().unwrap();
        let _another = UnixSocket { path: folder.path().join("moved"), ..socket.clone() }.bind().unwrap();
        std::fs::rename(folder.path().join("moved"), &socket.path).unwrap();
        assert_eq!(reserved.listen().err().map(|error| error.kind()), Some(ErrorKind::AddrInUse), "since then");
        assert!(UnixStream::connect(&socket.path).is_ok(), "the other's stays");
    }

    #[tokio::test]
    async fn the_socket_of_a_successor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let socket = socket(&folder);
        let first = socket.bind().unwrap();
        std::fs::remove_file(&socket.path).unwrap();
        let _second = socket.bind().unwrap();
        drop(first);
        assert!(UnixStream::connect(&socket.path).is_ok());
    }

    #[tokio::test]
    async fn a_reserved_port_is_refused_until_it_listens() {
        let taken = Reserved::port("127.0.0.1:0").await.unwrap().listen().unwrap();
        let address = taken.to_string();
        assert!(TcpStream::connect(&address).is_ok());
        assert_eq!(Reserved::port(&address).await.err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        drop(taken);
        let reserved = Reserved::port(&address).await.unwrap();
        assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let _listening = reserved.listen().unwrap();
        assert!(TcpStream::connect(&address).is_ok());
    }
}
