//! Measures everything in one go. `cargo xtask bench` builds this with what it
//! compares with, and runs it.

mod child;
mod run;

use barmkin_benches as benches;
use clap::{Parser, Subcommand};

/// Measures what a check costs.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    run: run::Options,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// A process whose doings are measured: the bench starts these by itself.
    #[command(hide = true)]
    Child {
        #[command(subcommand)]
        role: child::Role,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        None => run::run(&arguments.run),
        Some(Role::Child { role }) => child::run(role),
    }
}
