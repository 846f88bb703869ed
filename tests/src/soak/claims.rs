//! The cost of a claim, by the failures it survives.

use super::Verdict;
use anyhow::{Result, ensure};
use barmkin_host::{Claim, MemoryLimits, MemoryStore, NonceId, Store};
use barmkin_store_embedded::{Durability, EmbeddedStore, Settings};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How long each is measured.
const MEASURED: [Duration; 2] = [Duration::from_secs(3), Duration::from_millis(100)];

/// Concurrent claimers: one alone, and enough of them to share flushes.
const CLAIMERS: [usize; 2] = [1, 16];

/// How long a nonce is kept. Those that have expired make room, so that no store
/// is ever full.
const RETAIN: Duration = Duration::from_millis(100);

/// Measures stores of all kinds, those that need it in `folder`.
pub(super) fn measure(folder: &Path, short: bool, verdict: &mut Verdict) -> Result<()> {
    let runtime = Runtime::new()?;
    for claimers in CLAIMERS {
        for (kind, durability) in
            [("memory", None), ("process", Some(Durability::Process)), ("power", Some(Durability::Power))]
        {
            let store = match durability {
                None => MemoryStore::default().into(),
                Some(durability) => {
                    let folder = folder.join(format!("{kind}-{claimers}"));
                    let limits = MemoryLimits::default();
                    EmbeddedStore::open(&Settings { folder, limits, durability, accept_loss: false })?.into_store()
                }
            };
            let span = MEASURED[usize::from(short)];
            let mut took = runtime.block_on(claim(store, claimers, span))?;
            took.sort_unstable();
            let micros = |hundredths: usize| took[took.len() * hundredths / 100].as_nanos() as f64 / 1_000.0;
            verdict.note(&format!("claim_{kind}_{claimers}_p50_us"), micros(50));
            verdict.note(&format!("claim_{kind}_{claimers}_p99_us"), micros(99));
            verdict.note(&format!("claim_{kind}_{claimers}_per_s"), (took.len() as f64 / span.as_secs_f64()).round());
        }
    }
    Ok(())
}

/// How long each claim took that `claimers` make within `span`.
async fn claim(store: Store, claimers: usize, span: Duration) -> Result<Vec<Duration>> {
    let next = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    let began = now();
    for _ in 0..claimers {
        let (store, next) = (store.clone(), next.clone());
        running.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < span {
                let mut nonce = NonceId { space: "deliveries".into(), digest: [0; 32], former: None };
                let number = next.fetch_add(1, Ordering::Relaxed);
                nonce.digest[..8].copy_from_slice(&number.to_le_bytes());
                let asked = now();
                let claim = match &store {
                    Store::Local(store) => store.claim(&nonce, RETAIN, None),
                    Store::Remote(store) => store.claim(&nonce, RETAIN, None).await,
                };
                took.push(asked.elapsed());
                // As between two requests: where nothing waits for the disk, the
                // others would never have their turn.
                tokio::task::yield_now().await;
                ensure!(claim == Ok(Claim::FirstUse), "a new nonce was {claim:?}");
            }
            Ok(took)
        });
    }
    let mut all = Vec::new();
    while let Some(took) = running.join_next().await {
        all.extend(took??);
    }
    Ok(all)
}

#[expect(clippy::disallowed_methods, reason = "what it measures")]
fn now() -> Instant {
    Instant::now()
}
