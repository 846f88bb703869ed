//! The table of what its sender sees, and how often the upstream saw a delivery.

use super::sender::Seen;
use super::upstream::{Fails, Upstream};
use super::{DUPLICATES, KEEPS};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const WAYS: [&str; 4] = ["reverse-proxy", "tower", "ext-authz (Envoy)", "forward-auth (nginx)"];

/// The outcome of a delivery that failed at first and was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    /// The upstream never took it, and the sender was told to stop.
    is_lost: bool,
}

impl Cell {
    pub(crate) fn of(again: &Seen, upstream: &Upstream, id: &str) -> Self {
        let received = upstream.received(id);
        let what = match (&again.reason, received.marked) {
            (None, true) => "marked".to_owned(),
            (None, false) => "let in".to_owned(),
            (Some(_), _) => again.status.to_string(),
        };
        Self { text: format!("{what}, {}", received.times), is_lost: again.reason.is_some() && !received.taken }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<[&'static str; 4], Cell>);

impl Table {
    pub(crate) fn insert(
        &mut self,
        way: &'static str,
        keep: &'static str,
        duplicate: &'static str,
        fails: &'static str,
        cell: Cell,
    ) {
        self.0.insert([way, keep, duplicate, fails], cell);
    }

    /// By listeners that see outcomes nothing is lost, unless somebody says so.
    pub(crate) fn assert_nothing_is_lost_by_default(&self) {
        let lost: Vec<_> = self
            .0
            .iter()
            .filter(|([way, keep, duplicate, _], cell)| {
                cell.is_lost && ["reverse-proxy", "tower"].contains(way) && (*keep, *duplicate) == ("unset", "unset")
            })
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
        let elsewhere = self.0.iter().any(|([way, ..], cell)| cell.is_lost && way.starts_with("ext-authz"));
        assert!(elsewhere, "else the documentation says too much");
    }

    /// It is what the documentation shows.
    pub(crate) fn assert_documented(&self) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deliveries.md");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, shown) = text.split_once(BEGIN).expect("the documentation says where the table begins");
        let table = self.to_string();
        if std::env::var_os("BARMKIN_WRITE_TABLE").is_some() {
            std::fs::write(&file, format!("{before}{BEGIN}{table}")).unwrap();
        } else {
            assert!(shown == table, "write it again with BARMKIN_WRITE_TABLE=1; it is now:\n{table}");
        }
    }
}

const BEGIN: &str = "<!-- made by tests/tests/everywhere/deliveries -->\n";

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fails: Vec<_> = Fails::ALL.map(Fails::name).into_iter().chain(["gate killed"]).collect();
        let mut table = format!("| way in | `keep` | `on-duplicate` | {} |\n", fails.join(" | "));
        writeln!(table, "|{}", "---|".repeat(3 + fails.len()))?;
        for way in WAYS {
            for keep in KEEPS {
                for duplicate in DUPLICATES {
                    let cells = fails.iter().map(|fails| match self.0.get(&[way, keep, duplicate, fails]) {
                        Some(Cell { text, is_lost: true }) => format!("**{text}**"),
                        Some(Cell { text, .. }) => text.clone(),
                        None => "-".to_owned(),
                    });
                    writeln!(table, "| {way} | {keep} | {duplicate} | {} |", cells.collect::<Vec<_>>().join(" | "))?;
                }
            }
        }
        f.write_str(&table)
    }
}
