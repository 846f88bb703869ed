//! Work that goes on to its end when nobody waits for it any longer.

use crate::store::Store;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Work that goes on to its end, on the store's executor, if this is dropped
/// before: a call that was begun may have been made, and nothing else would know.
pub(super) struct Enduring<T: Send + 'static> {
    store: Store,
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> Enduring<T> {
    pub(super) fn new(store: &Store, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { store: store.clone(), work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Enduring<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Enduring<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.store.finish(async move { drop(work.await) });
        }
    }
}
