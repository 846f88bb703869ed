//! A connection that somebody watches, and whose answers must be read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Is told of what moves on a connection.
pub trait Watch: Send + Sync {
    /// This many `bytes` were read.
    fn read(&self, bytes: usize);
    /// This many `bytes` were written.
    fn wrote(&self, bytes: usize);
}

/// A stream that tells what moves, and fails with `TimedOut` when something
/// waits to be sent and none of it goes for a time: what nobody reads would
/// hold memory and a place for ever.
pub struct Watched<S> {
    stream: S,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    watch: Arc<dyn Watch>,
}

impl<S> Watched<S> {
    /// Watches `stream`, which may stall for `stall`.
    pub fn new(stream: S, stall: Duration, watch: Arc<dyn Watch>) -> Self {
        Self { stream, stall, waiting: None, watch }
    }

    fn unless_stalled<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stall)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.watch.wrote(bytes);
        }
        self.unless_stalled(context, written)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, to);
        if read.is_ready() {
            self.watch.read(to.filled().len() - before);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_pending() { self.unless_stalled(context, flushed) } else { flushed }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_stalled(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::{Watch, Watched};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Watch for Counts {
        fn read(&self, bytes: usize) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }

        fn wrote(&self, bytes: usize) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn what_nobody_reads_is_given_up() {
        let (ours, mut theirs) = duplex(4);
        let counts = Arc::new(Counts::default());
        let mut watched = Watched::new(ours, STALL, counts.clone());
        let began = Instant::now();
        let sent = tokio::join!(watched.write_all(b"0123456789"), async {
            tokio::time::sleep(STALL - Duration::from_secs(1)).await;
            theirs.read_exact(&mut [0; 4]).await
        });
        assert_eq!(sent.0.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), 2 * STALL - Duration::from_secs(1), "from when it last moved");
        assert_eq!(counts.0.load(Ordering::Relaxed), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_no_stall_while_nothing_waits_to_be_sent() {
        let (ours, mut theirs) = duplex(4);
        let mut watched = Watched::new(ours, STALL, Arc::new(Counts::default()));
        watched.write_all(b"0123").await.unwrap();
        watched.flush().await.unwrap();
        let silent = tokio::time::timeout(10 * STALL, watched.read_u8()).await;
        assert!(silent.is_err());
        theirs.read_exact(&mut [0; 4]).await.unwrap();
        watched.write_all(b"4").await.unwrap();
    }
}
