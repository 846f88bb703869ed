//! Work on many bytes, in pieces between which other tasks have their turn.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes that are worked on without a break. Hashing them takes one to three
/// milliseconds.
pub(crate) const PIECE_BYTES: usize = 1024 * 1024;

/// Whether there are breaks: where nothing can be suspended there are none, and
/// nothing is as large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaks {
    None,
    BetweenPieces,
}

/// Gives `bytes` to `work`, piece by piece.
pub(crate) async fn in_pieces(bytes: &[u8], breaks: Breaks, mut work: impl FnMut(&[u8])) {
    let mut pieces = bytes.chunks(PIECE_BYTES).peekable();
    while let Some(piece) = pieces.next() {
        work(piece);
        if breaks == Breaks::BetweenPieces && pieces.peek().is_some() {
            Turn::default().await;
        }
    }
}

/// Lets other tasks of the executor have their turn: pending once.
#[derive(Default)]
struct Turn {
    is_over: bool,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now_or_never;
    use std::task::Waker;

    #[test]
    fn every_byte_is_worked_on_once_with_a_break_after_each_piece_but_the_last() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 1).map(|byte| byte as u8).collect();
        for (breaks, expected) in [(Breaks::None, 0), (Breaks::BetweenPieces, 3)] {
            let mut seen = Vec::new();
            let mut pending = 0;
            {
                let mut work = Box::pin(in_pieces(&bytes, breaks, |piece| seen.extend_from_slice(piece)));
                let mut context = Context::from_waker(Waker::noop());
                while work.as_mut().poll(&mut context).is_pending() {
                    pending += 1;
                }
            }
            assert_eq!((seen == bytes, pending), (true, expected), "{breaks:?}");
        }
        assert!(now_or_never(in_pieces(&bytes[..PIECE_BYTES], Breaks::BetweenPieces, |_| ())).is_some());
    }
}
