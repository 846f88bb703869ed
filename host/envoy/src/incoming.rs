//! Connections on their way to the service: a bound on how many there are, and
//! beginnings that keep nobody else waiting.
//!
//! A connection has a share of the places by its address until it asks for the
//! first time, and until then it may be made to give way. From then on it
//! carries clients' requests, which count by the clients that they name, and
//! gives way only while it asks nothing.

use crate::options::Bounds;
use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::{Shortage, Socket, Stream, Watch, Watched};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// For those that give way to be gone, where many arrive at once.
const PLACE_WITHIN: Duration = Duration::from_millis(100);

/// Bytes with which HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// A connection with its place.
pub(crate) struct Connection<S> {
    stream: Watched<S>,
    caller: Caller,
    /// The missing bytes of the preface, and the time for it.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
}

/// The other end of a connection: among the extensions of each check.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Place>);

#[derive(Debug)]
struct Place {
    holding: Holding<Client>,
    /// Where it comes from.
    from: Mutex<IpAddr>,
    checks: Mutex<Checks>,
}

#[derive(Debug, Default)]
struct Checks {
    under_way: usize,
    /// None is, and the last answer may not be on its way yet.
    is_answered: bool,
}

/// A check that is under way, until its answer's body is gone.
pub(crate) struct Asking(Arc<Place>);

impl Caller {
    pub(crate) fn address(&self) -> IpAddr {
        *self.0.from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It asks about a client's request: its connection is nobody's share, and
    /// does not rest until the answer is sent.
    pub(crate) fn asks(&self) -> Asking {
        self.0.count(|checks, holding| {
            checks.under_way += 1;
            checks.is_answered = false;
            if checks.under_way == 1 {
                holding.belong(None);
                holding.resume();
            }
        });
        Asking(self.0.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.count(|checks, _| {
            checks.under_way -= 1;
            checks.is_answered = checks.under_way == 0;
        });
    }
}

impl Place {
    /// A balancer has said so.
    fn comes_from(&self, address: IpAddr) {
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) = address;
        self.holding.belong(Some([address.into()]));
    }

    /// All that was to be sent is sent: what gave way before that would take an
    /// answer with it.
    fn has_sent(&self) {
        self.count(|checks, holding| {
            if std::mem::take(&mut checks.is_answered) {
                holding.rest();
            }
        });
    }

    fn count(&self, change: impl FnOnce(&mut Checks, &Holding<Client>)) {
        change(&mut self.checks.lock().unwrap_or_else(PoisonError::into_inner), &self.holding);
    }
}

impl Watch for Place {
    fn read(&self, bytes: usize) {
        self.holding.moved(bytes);
    }

    fn wrote(&self, bytes: usize) {
        self.holding.moved(bytes);
    }
}

impl<S> Connection<S> {
    fn new(stream: S, place: Arc<Place>, bounds: &Bounds, within: Duration) -> Self {
        let stream = Watched::new(stream, bounds.stall, place.clone());
        Self { stream, caller: Caller(place), beginning: Some((PREFACE, Box::pin(sleep(within)))) }
    }

    /// Fails when it has to give way, whatever it waits for: one whose answers
    /// nobody reads is not read from either.
    fn keeps_place(&self, context: &mut Context<'_>) -> io::Result<()> {
        match self.caller.0.holding.poll_evicted(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// Connections, in the order in which their handshakes end. All over a Unix socket are
/// of one machine, and so of one client.
pub(crate) fn accept(socket: Socket, bounds: Bounds) -> ReceiverStream<io::Result<Connection<Stream>>> {
    let (begun, incoming) = mpsc::channel(1);
    let Socket { listener, opening } = socket;
    tokio::spawn(async move {
        let places = Shares::new(bounds.connections_max);
        let mut shortage = Shortage::default();
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
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    shortage.met(&error, |count| places.relieve(count)).await;
                    continue;
                }
            };
            // For want of a place it is closed: nobody gives way.
            let Some(place) = place(&places, peer.ip()).await else { continue };
            let (opening, begun, bounds) = (opening.clone(), begun.clone(), bounds.clone());
            handshakes.spawn(async move {
                let told = |from: SocketAddr| place.comes_from(from.ip());
                let opened = tokio::select! {
                    opened = opening.begin(stream, peer, told) => opened,
                    () = place.holding.evicted() => return,
                };
                match opened {
                    Ok((stream, _)) => {
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

async fn place(places: &Arc<Shares<Client>>, peer: IpAddr) -> Option<Arc<Place>> {
    let taken = timeout(PLACE_WITHIN, places.take_in_turn(Some([peer.into()]), 1)).await;
    let holding = taken.ok().flatten()?;
    Some(Arc::new(Place { holding, from: Mutex::new(peer), checks: Mutex::default() }))
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.keeps_place(context)?;
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
        self.keeps_place(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.keeps_place(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.keeps_place(cx)?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            self.caller.0.has_sent();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_connection_gives_way_only_when_its_answer_is_sent() {
        let places = Shares::new(1);
        let own = place(&places, IpAddr::from([192, 0, 2, 1])).await.unwrap();
        let (stream, _peer) = tokio::io::duplex(64);
        let bounds = Bounds::default();
        let mut connection = Connection::new(stream, own, &bounds, bounds.stall);
        let another = || places.take(Some([IpAddr::from([192, 0, 2, 2]).into()]), 1);

        let asking = connection.connect_info().asks();
        connection.flush().await.unwrap();
        assert!(another().is_none(), "a check is under way");
        drop(asking);
        assert!(another().is_none(), "its answer is not sent");
        connection.flush().await.unwrap();
        assert!(another().is_some());
    }
}
