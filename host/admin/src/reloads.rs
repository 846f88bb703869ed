//! The outcomes of reloads.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The outcome of an attempt to change the serving generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The configuration on disk serves now.
    Loaded,
    /// It served already.
    Unchanged,
    /// It cannot be used; the generation before goes on serving.
    Refused,
    /// An earlier generation serves again.
    RolledBack,
}

impl Attempt {
    const ALL: [Self; 4] = [Self::Loaded, Self::Unchanged, Self::Refused, Self::RolledBack];

    /// Its name, in metrics and in the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::RolledBack => "rolled-back",
        }
    }
}

/// Counts reloads. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    attempts: [AtomicU64; Attempt::ALL.len()],
    failing: AtomicBool,
    secrets_withdrawn: AtomicU64,
    since: AtomicU64,
}

impl Reloads {
    /// An attempt ended.
    pub fn ended(&self, attempt: Attempt) {
        for (of, count) in Attempt::ALL.iter().zip(&self.0.attempts) {
            count.fetch_add(u64::from(*of == attempt), Ordering::Relaxed);
        }
        if attempt != Attempt::RolledBack {
            self.0.failing.store(attempt == Attempt::Refused, Ordering::Relaxed);
        }
    }

    /// Another generation serves since `now`, time since 1970.
    pub fn serves_since(&self, now: Duration) {
        self.0.since.store(now.as_secs(), Ordering::Relaxed);
    }

    /// This many `secrets` were withdrawn while the configuration was broken.
    pub fn withdrew(&self, secrets: usize) {
        self.0.secrets_withdrawn.fetch_add(secrets.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether what is on disk could not be used when it was last looked at.
    pub fn is_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }
}

impl Collector for Reloads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = &self.0;
        let mut attempts = encoder.encode_descriptor(
            "barmkin_reloads",
            "Attempts to change the serving generation, by outcome",
            None,
            MetricType::Counter,
        )?;
        for (attempt, count) in Attempt::ALL.iter().zip(&counts.attempts) {
            let count = count.load(Ordering::Relaxed);
            attempts
                .encode_family(&[("outcome", attempt.as_str())])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        encoder
            .encode_descriptor(
                "barmkin_secrets_withdrawn",
                "Secrets withdrawn while the configuration could not be used",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&counts.secrets_withdrawn.load(Ordering::Relaxed), None)?;
        let gauges = [
            (
                "barmkin_reload_failing",
                "1 while the configuration on disk cannot be used and the last good generation serves",
                u64::from(self.is_failing()),
            ),
            (
                "barmkin_generation_since_seconds",
                "When the serving generation began to serve, in seconds since 1970",
                counts.since.load(Ordering::Relaxed),
            ),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
