//! Requests that go on although their clients have hung up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// Requests that go on without their clients. Past them one ends with its client,
/// and its delivery is free again.
const FINISHING_MAX: usize = 1_024;

/// Of one client.
const FINISHING_OF_ONE_MAX: usize = 128;

/// Ends what clients have left.
#[derive(Clone)]
pub(crate) struct Finishing {
    within: Duration,
    shared: Arc<Shared>,
    client: Option<IpAddr>,
}

struct Shared {
    slots: Arc<Semaphore>,
    /// How many each client has.
    clients: Mutex<HashMap<Option<IpAddr>, usize>>,
    cut_off: watch::Sender<bool>,
}

/// One of them.
struct Slot {
    shared: Arc<Shared>,
    client: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn take(shared: &Arc<Shared>, client: Option<IpAddr>) -> Option<Self> {
        let permit = shared.slots.clone().try_acquire_owned().ok()?;
        let mut clients = shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let has = clients.entry(client).or_default();
        if *has == FINISHING_OF_ONE_MAX {
            return None;
        }
        *has += 1;
        Some(Self { shared: shared.clone(), client, _permit: permit })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = clients.get_mut(&self.client) {
            *has -= 1;
            if *has == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Finishing {
    pub(crate) fn new(within: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(FINISHING_MAX));
        let shared = Shared { slots, clients: Mutex::default(), cut_off: watch::Sender::new(false) };
        Self { within, shared: Arc::new(shared), client: None }
    }

    /// The same, for a request of this client.
    pub(crate) fn of(&self, client: Option<IpAddr>) -> Self {
        // An IPv6 client chooses its address within a /64.
        let network = |address: IpAddr| match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            IpAddr::V4(_) => address,
        };
        Self { client: client.map(network), ..self.clone() }
    }

    /// Ends all of them now.
    pub(crate) fn cut_off(&self) {
        self.shared.cut_off.send_replace(true);
    }

    /// Waits until all of them have ended.
    pub(crate) async fn ended(&self) {
        let all = u32::try_from(FINISHING_MAX).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.shared.slots.acquire_many(all).await;
    }

    pub(crate) fn finish(&self, rest: impl Future<Output = ()> + Send + 'static) {
        let (Some(slot), Ok(runtime)) = (Slot::take(&self.shared, self.client), Handle::try_current()) else {
            return;
        };
        let (within, mut cut_off) = (self.within, self.shared.cut_off.subscribe());
        runtime.spawn(async move {
            tokio::select! {
                ended = timeout(within, rest) => if ended.is_err() {
                    tracing::debug!("a request that its client had left did not end in time");
                },
                _ = cut_off.wait_for(|cut_off| *cut_off) => {}
            }
            drop(slot);
        });
    }
}
