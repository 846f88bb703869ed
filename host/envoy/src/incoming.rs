//! Connections on their way to the service: a bound on how many there are, and
//! handshakes that keep nobody else waiting.

use barmkin_tls::{ServerTls, Socket};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Connections at once. An Envoy has one for each of its threads; more wait in
/// the listener's queue.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;

/// After an accept that failed, mostly for want of file descriptors: long
/// enough for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection with its place among the [`CONNECTIONS_MAX`].
pub(crate) struct Connection<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
}

/// Connections over TCP, in the order in which their handshakes end.
pub(crate) fn tcp(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
) -> ReceiverStream<io::Result<Connection<barmkin_tls::Stream>>> {
    let (begun, incoming) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut places = Places::new();
        let mut handshakes = JoinSet::new();
        let mut keep_fresh = std::pin::pin!(Socket::keep_fresh(tls.clone()));
        loop {
            let (stream, place) = tokio::select! {
                // The server has stopped taking connections.
                () = begun.closed() => return,
                () = &mut keep_fresh => continue,
                Some(_) = handshakes.join_next(), if !handshakes.is_empty() => continue,
                accepted = places.fill(|| listener.accept()) => accepted,
            };
            let ((stream, peer), tls, begun) = (stream, tls.clone(), begun.clone());
            handshakes.spawn(async move {
                match Socket::begin(tls.as_deref(), stream).await {
                    // It fails only when the server has stopped.
                    Ok(stream) => drop(begun.send(Ok(Connection { stream, _place: place })).await),
                    Err(error) => tracing::debug!(%peer, %error, "a client did not shake hands"),
                }
            });
        }
    });
    ReceiverStream::new(incoming)
}

/// Connections over a Unix socket.
pub(crate) fn unix(listener: UnixListener) -> ReceiverStream<io::Result<Connection<tokio::net::UnixStream>>> {
    let (begun, incoming) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut places = Places::new();
        loop {
            let ((stream, _), place) = tokio::select! {
                () = begun.closed() => return,
                accepted = places.fill(|| listener.accept()) => accepted,
            };
            if begun.send(Ok(Connection { stream, _place: place })).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(incoming)
}

struct Places(Arc<Semaphore>);

impl Places {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(CONNECTIONS_MAX)))
    }

    /// Waits for a place, and for somebody to fill it.
    async fn fill<T, A: Future<Output = io::Result<T>>>(
        &mut self,
        accept: impl Fn() -> A,
    ) -> (T, OwnedSemaphorePermit) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = self.0.clone().acquire_owned().await else { continue };
            match accept().await {
                Ok(accepted) => return (accepted, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
