//! Where Envoy reaches the service.

use crate::check::Authorizer;
use crate::options::Options;
use barmkin_host::Gate;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// What a check may need besides a body. Envoy lets through 8 MiB of headers
/// at most; a check past the limit would be a gRPC error and no verdict.
const MESSAGE_OVERHEAD_BYTES: usize = 16 * 1024 * 1024;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// For Envoys on other machines; they must be the only ones to reach it.
    Tcp(TcpListener),
    /// For an Envoy on this machine.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
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
    pub fn bind(&self) -> io::Result<UnixListener> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(_) if std::os::unix::net::UnixStream::connect(&self.path).is_ok() => {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            _ => {}
        }
        let mut unseen = self.path.clone().into_os_string();
        unseen.push(".new");
        let _ = std::fs::remove_file(&unseen);
        let listener = UnixListener::bind(&unseen)?;
        chown(&unseen, None, self.group)?;
        std::fs::set_permissions(&unseen, PermissionsExt::from_mode(self.mode))?;
        std::fs::rename(&unseen, &self.path)?;
        Ok(listener)
    }
}

/// Serves on `listener` until `shutdown`, then lets checks that are under way
/// end.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: impl Into<Listener>,
    gate: Arc<Gate>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let message_bytes_max = options.body_bytes_max.unwrap_or(0).saturating_add(MESSAGE_OVERHEAD_BYTES);
    let service = AuthorizationServer::new(Authorizer::new(gate, options)).max_decoding_message_size(message_bytes_max);
    let router = Server::builder().add_service(service);
    match listener.into() {
        Listener::Tcp(listener) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router.serve_with_incoming_shutdown(incoming, shutdown).await
        }
        Listener::Unix(listener) => {
            router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), shutdown).await
        }
    }
    .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::UnixSocket;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixSocket { path: folder.path().join("authz.sock"), mode: 0o600, group: None };
        let live = socket.bind().unwrap();
        let mode = std::fs::metadata(&socket.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(socket.bind().unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(live);
        socket.bind().unwrap();
    }

    #[tokio::test]
    async fn a_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixSocket { path: folder.path().join("notes"), mode: 0o600, group: None };
        std::fs::write(&socket.path, "kept").unwrap();
        assert_eq!(socket.bind().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&socket.path).unwrap(), b"kept");
    }
}
