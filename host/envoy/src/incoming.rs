//! Connections on their way to the service: a bound on how many there are, and
//! beginnings that keep nobody else waiting.
//!
//! A connection has a share of the places by its address until it asks for the
//! first time, and until then it may be made to give way. From then on it
//! carries clients' requests, which count by the clients that they name.

use crate::options::Bounds;
use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::{Opening, Socket, Watch, Watched};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// After an accept that failed, mostly for want of file descriptors: long
/// enough for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes with which HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// A connection with its place.
pub(crate) struct Connection<S> {
    stream: Watched<S>,
    caller: Caller,
    /// What is missing of the preface, and the time for it.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
}

/// The other end of a connection: among the extensions of each check.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Place>);

#[derive(Debug)]
struct Place(Holding<Client>);

impl Caller {
    /// It asks about a client's request: its connection is nobody's share.
    pub(crate) fn asks(&self) {
        self.0.0.belong(None);
    }
}

impl Watch for Place {
    fn read(&self, bytes: usize) {
        self.0.moved(bytes);
    }

    fn wrote(&self, bytes: usize) {
        self.0.moved(bytes);
    }
}

impl<S> Connection<S> {
    fn new(stream: S, place: Arc<Place>, bounds: &Bounds, within: Duration) -> Self {
        let stream = Watched::new(stream, bounds.stall, place.clone());
        Self { stream, caller: Caller(place), beginning: Some((PREFACE, Box::pin(sleep(within)))) }
    }
}

/// Connections over TCP, in the order in which their handshakes end.
pub(crate) fn tcp(socket: Socket, bounds: Bounds) -> ReceiverStream<io::Result<Connection<barmkin_tls::Stream>>> {
    let (begun, incoming) = mpsc::channel(1);
    let Socket { listener, opening } = socket;
    tokio::spawn(async move {
        let places = Shares::new(bounds.connections_max);
        let mut handshakes = JoinSet::new();
        let mut keep_fresh = std::pin::pin!(opening.keep_fresh());
        loop {
            let accepted = tokio::select! {
                // The server has stopped taking connections.
                () = begun.closed() => return,
                () = &mut keep_fresh => continue,
                Some(_) = handshakes.join_next(), if !handshakes.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            let Some((stream, peer)) = or_pause(accepted).await else { continue };
            // For want of a place it is closed: nobody gives way.
            let Some(place) = place(&places, peer.ip()) else { continue };
            let (opening, begun, bounds) = (opening.clone(), begun.clone(), bounds.clone());
            handshakes.spawn(async move {
                let opened = tokio::select! {
                    opened = opening.begin(stream, peer) => opened,
                    () = place.0.evicted() => return,
                };
                match opened {
                    Ok((stream, from)) => {
                        place.0.belong(Some([from.ip().into()]));
                        let connection = Connection::new(stream, place, &bounds, opening.within);
                        // It fails only when the server has stopped.
                        drop(begun.send(Ok(connection)).await);
                    }
                    Err(error) => tracing::debug!(%peer, %error, "a connection did not begin"),
                }
            });
        }
    });
    ReceiverStream::new(incoming)
}

/// Connections over a Unix socket: all of one machine, and so of one client.
pub(crate) fn unix(
    listener: UnixListener,
    bounds: Bounds,
) -> ReceiverStream<io::Result<Connection<tokio::net::UnixStream>>> {
    let (begun, incoming) = mpsc::channel(1);
    tokio::spawn(async move {
        let places = Shares::new(bounds.connections_max);
        let within = Opening::default().within;
        loop {
            let accepted = tokio::select! {
                () = begun.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let Some((stream, _)) = or_pause(accepted).await else { continue };
            let Some(place) = place(&places, Ipv4Addr::LOCALHOST.into()) else { continue };
            if begun.send(Ok(Connection::new(stream, place, &bounds, within))).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(incoming)
}

fn place(places: &Arc<Shares<Client>>, peer: IpAddr) -> Option<Arc<Place>> {
    places.take(Some([peer.into()]), 1).map(|holding| Arc::new(Place(holding)))
}

async fn or_pause<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.caller.0.0.poll_evicted(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = to.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, to);
        if let Some((missing, time)) = &mut self.beginning {
            *missing = missing.saturating_sub(to.filled().len() - before);
            if *missing == 0 {
                self.beginning = None;
            } else if read.is_pending() && time.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
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
