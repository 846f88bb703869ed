//! Where Envoy reaches the service.

use crate::charged::Charging;
use crate::check::Authorizer;
use crate::incoming::{self, Connection};
use crate::options::Options;
use barmkin_host::Gate;
use barmkin_tls::Socket;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Router;

/// What a check may need besides a body. Envoy lets through 8 MiB of headers
/// at most; a check past the limit would be a gRPC error and no verdict.
const MESSAGE_OVERHEAD_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the header of a call, which says next to nothing: what Envoy asks
/// about stands in its body.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Streams of a connection that were reset before they were looked at, and that
/// were reset for a fault of the client's: past them the connection is closed.
const RESETS_MAX: usize = 64;

/// For checks that are under way when the service is told to stop: longer
/// than Envoy waits for any.
const DRAIN: Duration = Duration::from_secs(10);

/// A socket that listens.
pub enum Listener {
    /// For Envoys on other machines; they must be the only ones to reach it,
    /// or to have a certificate.
    Tcp(Socket),
    /// For an Envoy on this machine.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener.into())
    }
}

impl From<Socket> for Listener {
    fn from(socket: Socket) -> Self {
        Self::Tcp(socket)
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
    let bounds = options.bounds.clone();
    let service =
        AuthorizationServer::new(Authorizer::new(gate.clone(), options)).max_decoding_message_size(message_bytes_max);
    let router = Server::builder()
        .timeout(bounds.check)
        .max_concurrent_streams(bounds.streams_max)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_MAX))
        .http2_keepalive_interval(Some(bounds.ping))
        .http2_keepalive_timeout(Some(bounds.ping / 2))
        .add_service(Charging { service, gate });
    match listener.into() {
        Listener::Tcp(socket) => run(router, incoming::tcp(socket, bounds), shutdown).await,
        Listener::Unix(listener) => run(router, incoming::unix(listener, bounds), shutdown).await,
    }
}

async fn run<S>(
    router: Router,
    incoming: ReceiverStream<io::Result<Connection<S>>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stop, stopping) = oneshot::channel();
    let serving = router.serve_with_incoming_shutdown(incoming, async {
        shutdown.await;
        // Nobody hears it when all has ended already.
        let _ = stop.send(());
    });
    let cut_off = async {
        if stopping.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving => ended.map_err(io::Error::other),
        () = cut_off => {
            tracing::warn!("checks did not end in time and were cut off");
            Ok(())
        }
    }
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
