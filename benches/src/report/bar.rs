//! The bar, as ratios within one run.

use super::Summary;

/// A line of it.
struct Line {
    name: &'static str,
    measured: fn(&Summary) -> Option<f64>,
    required: Limit,
    aim: Option<Limit>,
}

#[derive(Clone, Copy)]
enum Limit {
    Below(f64),
    AtMost(f64),
    AtLeast(f64),
}
use Limit::{AtLeast, AtMost, Below};

const LINES: [Line; 17] = [
    Line {
        name: "chain4_fresh / chain4_native",
        measured: |it| ratio(it, "chain4_fresh", "chain4_native"),
        required: AtMost(22.0),
        aim: Some(AtMost(15.0)),
    },
    Line {
        name: "chain4_warm / chain4_native",
        measured: |it| ratio(it, "chain4_warm", "chain4_native"),
        required: AtMost(5.0),
        aim: Some(AtMost(3.0)),
    },
    Line {
        name: "chain4_native / hmac_1k_native",
        measured: |it| ratio(it, "chain4_native", "hmac_1k_native"),
        required: AtMost(2.0),
        aim: None,
    },
    Line {
        name: "check_end_to_end / chain4_fresh",
        measured: |it| ratio(it, "check_end_to_end", "chain4_fresh"),
        required: AtMost(1.3),
        aim: Some(AtMost(1.1)),
    },
    Line {
        name: "(chain4_fresh - chain4_warm) / 4 / trivial_fresh",
        measured: |it| Some((it.get("chain4_fresh")? - it.get("chain4_warm")?) / 4.0 / it.get("trivial_fresh")?),
        required: AtMost(1.5),
        aim: Some(AtMost(1.1)),
    },
    Line {
        name: "rbac_fresh / the fastest peer_",
        measured: |it| {
            let fastest = it.beginning_with("peer_").map(|(_, time)| time).min_by(f64::total_cmp)?;
            Some(it.get("rbac_fresh")? / fastest)
        },
        required: Below(0.6),
        aim: Some(Below(0.4)),
    },
    Line {
        name: "rbac_fresh / sandbox_extism_warm",
        measured: |it| ratio(it, "rbac_fresh", "sandbox_extism_warm"),
        required: AtMost(1.2),
        aim: Some(Below(1.0)),
    },
    Line {
        name: "hmac_256k / hmac_256k_native",
        measured: |it| ratio(it, "hmac_256k", "hmac_256k_native"),
        required: AtMost(1.05),
        aim: None,
    },
    Line {
        name: "threads2_over_1",
        measured: |it| it.get("threads2_over_1"),
        required: AtLeast(1.8),
        aim: Some(AtLeast(1.95)),
    },
    Line {
        name: "mm_syscalls_per_request",
        measured: |it| it.get("mm_syscalls_per_request"),
        required: AtMost(0.0),
        aim: None,
    },
    Line {
        name: "page_faults_per_request",
        measured: |it| it.get("page_faults_per_request"),
        required: AtMost(0.01),
        aim: None,
    },
    Line {
        name: "pss_kib_per_instance",
        measured: |it| it.get("pss_kib_per_instance"),
        required: AtMost(48.0),
        aim: Some(AtMost(32.0)),
    },
    Line {
        name: "reload_wasm_ms",
        measured: |it| it.get("reload_wasm_ms"),
        required: AtMost(200.0),
        aim: Some(AtMost(100.0)),
    },
    Line {
        name: "reload_cached_ms",
        measured: |it| it.get("reload_cached_ms"),
        required: AtMost(5.0),
        aim: Some(AtMost(1.0)),
    },
    Line {
        name: "envoy_authz_cpu_over_trivial",
        measured: |it| it.get("envoy_authz_cpu_over_trivial"),
        required: AtMost(1.25),
        aim: Some(AtMost(1.1)),
    },
    Line { name: "p99_over_p50", measured: |it| it.get("p99_over_p50"), required: AtMost(3.0), aim: Some(AtMost(2.5)) },
    Line {
        name: "p50_over_check",
        measured: |it| it.get("p50_over_check"),
        required: AtMost(4.0),
        aim: Some(AtMost(2.0)),
    },
];

fn ratio(summary: &Summary, of: &str, to: &str) -> Option<f64> {
    Some(summary.get(of)? / summary.get(to)?)
}

impl Limit {
    fn holds(self, measured: f64) -> bool {
        match self {
            Below(limit) => measured < limit,
            AtMost(limit) => measured <= limit,
            AtLeast(limit) => measured >= limit,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Below(limit) => write!(f, "< {limit}"),
            AtMost(limit) => write!(f, "≤ {limit}"),
            AtLeast(limit) => write!(f, "≥ {limit}"),
        }
    }
}

/// The lines of the bar that `summary` has the numbers for, as a table in
/// Markdown.
#[must_use]
pub fn bar(summary: &Summary) -> String {
    let mut table = "| | measured | required | aim | |\n|---|---|---|---|---|\n".to_owned();
    for line in &LINES {
        let Some(measured) = (line.measured)(summary) else { continue };
        let aim = line.aim.map(|aim| aim.to_string()).unwrap_or_default();
        let reached = match (line.required.holds(measured), line.aim.is_none_or(|aim| aim.holds(measured))) {
            (false, _) => "short",
            (true, false) => "ok",
            (true, true) => "aim",
        };
        table += &format!("| {} | {measured:.3} | {} | {aim} | {reached} |\n", line.name, line.required);
    }
    table
}
