//! `gcra.json` through every store: also what a policy does not tell.

use crate::subjects::{Subject, each};
use barmkin_host::{Draw, Gcra};
use barmkin_tests::harness::vectors;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Vectors {
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Sequence {
    name: String,
    max_burst: u64,
    emission_interval_ms: u64,
    rows: Vec<(u64, u32, u64, u64, i64, u8)>,
}

#[test]
fn the_published_rows_hold_on_every_store() {
    // `quotas.rs` holds every store against a reference of its own.
    let Some(folder) = vectors() else { return };
    let text = std::fs::read_to_string(folder.join("rate_limit/gcra.json")).unwrap();
    let vectors: Vectors = serde_json::from_str(&text).unwrap();
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap();
    each("gcra.json", |kind| {
        let store = Subject::new(kind);
        let mut rows = 0;
        // The clock of a store does not go back: each sequence begins later.
        let mut begin = 0;
        for sequence in &vectors.sequences {
            let interval = Duration::from_millis(sequence.emission_interval_ms);
            // A burst of n beside the steady rate: n + 1 at once.
            let draws = [Draw { quota: "q".into(), rule: Gcra { interval, limit: sequence.max_burst + 1 }.into() }];
            for row in &sequence.rows {
                store.wait(begin + row.0 - store.now_ms());
                let take = store.take(&sequence.name, &draws, row.1);
                let told = (
                    take.remaining,
                    millis(take.reset_after),
                    take.retry_after.map_or(-1, millis),
                    u8::from(!take.admitted),
                );
                let expected = (row.2, i64::try_from(row.3).unwrap(), row.4, row.5);
                assert_eq!(told, expected, "{kind:?}, `{}`, at {} ms", sequence.name, row.0);
                rows += 1;
            }
            begin = store.now_ms();
        }
        assert!(rows > 0);
        println!("{kind:?}: {rows} rows");
    });
}
