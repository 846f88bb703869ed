use crate::benches::measured::{Steady, serve_all, serve_gate, serve_http, suspend};
use clap::Subcommand;
use std::path::PathBuf;

/// The work of a child process.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// A gate in its steady state.
    Steady(Steady),
    /// Checks that wait.
    Suspended,
    /// A hyper server with the tower layer, or with one that does nothing.
    Http {
        #[arg(long)]
        empty: bool,
    },
    /// An ext_authz service that is the gate.
    Gate { socket: PathBuf },
    /// An ext_authz service that allows everything.
    AllowAll { socket: PathBuf },
}

pub(crate) fn run(role: Role) -> anyhow::Result<()> {
    match role {
        Role::Steady(steady) => steady.run(),
        Role::Suspended => suspend(),
        Role::Http { empty } => serve_http(empty),
        Role::Gate { socket } => serve_gate(&socket),
        Role::AllowAll { socket } => serve_all(&socket),
    }
}
