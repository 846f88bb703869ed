//! How much of the engine's pool is in use.

use barmkin_host::{Engine, PoolUse};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;

/// Adds the use of `engine`'s pool to `registry`.
pub fn pool(engine: Engine, registry: &mut Registry) {
    registry.register_collector(Box::new(Pool(engine)));
}

struct Pool(Engine);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl Collector for Pool {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(PoolUse { checks, checks_max, idle, warm_memories, warm_bytes }) = self.0.pool_use() else {
            return Ok(());
        };
        let gauges = [
            ("barmkin_pool_checks", "Checks under way", checks),
            ("barmkin_pool_checks_max", "The most checks at once; beyond that the answer is `overloaded`", checks_max),
            ("barmkin_pool_idle", "Instances that wait for their next check", idle),
            ("barmkin_pool_warm_memories", "Memories kept warm for the next check", warm_memories),
            ("barmkin_pool_warm_bytes", "Bytes that warm memories hold", warm_bytes),
        ];
        for (name, help, value) in gauges {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&u64::try_from(value).unwrap_or(u64::MAX))?;
        }
        Ok(())
    }
}
