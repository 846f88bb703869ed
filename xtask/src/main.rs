//! The tasks of this repository: `cargo xtask test`, `demo`, `soak`, `bench` and
//! `setup`.
//!
//! Knows the workspace from outside only: it runs what others build, and
//! depends on none of it, so that it is there in seconds.

mod bench;
mod demo;
mod shell;
mod soak;
mod test;
mod tools;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The tasks of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every check and test, with real proxies where they can be had.
    Test {
        /// Fails when a part cannot run here, instead of saying so.
        #[arg(long)]
        no_skip: bool,
    },
    /// Starts a gate, shows what it lets in and what not, and goes on serving.
    Demo {
        /// Ends after the requests; fails if a verdict is not the expected one.
        #[arg(long)]
        once: bool,
    },
    /// Keeps a gate busy for minutes while what could go wrong does; fails if
    /// it falls short.
    Soak {
        scenario: soak::Scenario,
        /// Takes a minute instead of many.
        #[arg(long)]
        short: bool,
    },
    /// Measures what a check costs, and what it is compared with.
    Bench {
        /// Only these groups, separated by commas; an unknown one has them listed.
        #[arg(long)]
        only: Option<String>,
        /// A tenth of everything: to see that it runs, not what it costs.
        #[arg(long)]
        quick: bool,
    },
    /// Gets what the other tasks use: the wasm target, Envoy, nginx, Caddy, Redis.
    Setup,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Test { no_skip } => test::run(no_skip),
        Task::Demo { once } => demo::run(once),
        Task::Soak { scenario, short } => soak::run(scenario, short),
        Task::Bench { only, quick } => bench::run(only.as_deref(), quick),
        Task::Setup => {
            tools::Tools::get()?.report();
            Ok(ExitCode::SUCCESS)
        }
    }
}
