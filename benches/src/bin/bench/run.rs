//! The parent: all groups, one summary.

use crate::benches::measured::{code_kib_per_policy, envoy, latency, reload, steady, suspended, threads};
use crate::benches::process::peers;
use crate::benches::report::{Summary, bar};
use crate::benches::timed::{chain, derive_parts, hmac, parts, rbac, rounds};
use anyhow::{Context, Result};
use barmkin_bench_peer::{Question, Subject};
use clap::ValueEnum;
use std::path::PathBuf;
use std::time::Duration;

/// The benchmarks to run, and the programs they need.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these groups.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// A tenth of everything: to see that it runs, not what it costs.
    #[arg(long)]
    quick: bool,
    /// Where the summary goes.
    #[arg(long, default_value = "target/bench/summary.json")]
    summary: PathBuf,
    /// The program with the peers.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The program with Extism.
    #[arg(long)]
    extism: Option<PathBuf>,
    /// Envoy.
    #[arg(long)]
    envoy: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The chain of four: native, warm, fresh, and from end to end.
    Chain,
    /// Fifty roles, and the peers on the same.
    Rbac,
    /// Extism, another sandbox, on the same.
    Sandbox,
    /// Signatures of small and large bodies.
    Hmac,
    /// An empty policy, a host call, normalization.
    Parts,
    /// Two threads against one.
    Threads,
    /// System calls and page faults.
    Steady,
    /// Memory of instances that wait.
    Suspended,
    /// The tower layer under load.
    Latency,
    /// Loading policies, and the code they have.
    Reload,
    /// CPU time of Envoy and gate.
    Envoy,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut summary = Summary::default();
    let mut subjects = options.subjects()?;
    let mut times = rounds(&mut subjects, options.tenth_if_quick(400));
    drop(subjects);
    derive_parts(&mut times);
    summary.extend(times);
    options.measure(&mut summary)?;
    summary.write(&options.summary)?;
    println!("{}\n{}", summary.table(), bar(&summary));
    Ok(())
}

impl Options {
    fn has(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    fn tenth_if_quick(&self, count: usize) -> usize {
        if self.quick { count / 10 } else { count }
    }

    /// A tool that `group` needs, or a line that says what is missing.
    fn tool<'a>(&self, group: Group, tool: &'a Option<PathBuf>) -> Option<&'a PathBuf> {
        if !self.has(group) {
            return None;
        }
        if tool.is_none() {
            let group = group.to_possible_value();
            println!("SKIP: {}: its program is missing", group.as_ref().map_or("", |group| group.get_name()));
        }
        tool.as_ref()
    }

    /// Everything that takes turns.
    fn subjects(&self) -> Result<Vec<Subject>> {
        let question = Question::of_fifty_roles();
        let mut subjects = Vec::new();
        if self.has(Group::Chain) {
            subjects.extend(chain()?);
        }
        if self.has(Group::Rbac) {
            subjects.extend(rbac(&question)?);
        }
        for program in [self.tool(Group::Rbac, &self.peers), self.tool(Group::Sandbox, &self.extism)] {
            subjects.extend(program.map(|program| peers(program, &question)).transpose()?.into_iter().flatten());
        }
        if self.has(Group::Hmac) {
            subjects.extend(hmac()?);
        }
        if self.has(Group::Parts) {
            subjects.extend(parts()?);
        }
        Ok(subjects)
    }

    /// Everything that has the machine to itself.
    fn measure(&self, summary: &mut Summary) -> Result<()> {
        if self.has(Group::Threads) {
            summary.extend([("threads2_over_1", threads(self.tenth_if_quick(100)).context("threads")?)]);
        }
        if self.has(Group::Steady) {
            summary.extend(steady(self.tenth_if_quick(100_000), self.tenth_if_quick(10_000)).context("steady")?);
        }
        if self.has(Group::Suspended) {
            summary.extend([("pss_kib_per_instance", suspended().context("suspended")?)]);
        }
        if self.has(Group::Latency) {
            let lasting = Duration::from_secs(if self.quick { 1 } else { 18 });
            let latency = latency(lasting).context("latency")?;
            summary.extend([
                ("p99_over_p50", latency.p99 / latency.p50),
                ("p50_server", latency.p50),
                ("p99_server", latency.p99),
                ("p99_server_empty", latency.p99_empty),
                ("p99_added", latency.p99 - latency.p99_empty),
            ]);
            let check = summary.get("check_end_to_end");
            summary.extend(check.map(|check| ("p50_over_check", latency.p50 / check)));
        }
        if self.has(Group::Reload) {
            summary.extend(reload().context("reload")?);
            summary.extend([("code_kib_per_policy", code_kib_per_policy()?)]);
        }
        if let Some(program) = self.tool(Group::Envoy, &self.envoy) {
            summary.extend(envoy(program, self.tenth_if_quick(30), 2_000).context("envoy")?);
        }
        Ok(())
    }
}
