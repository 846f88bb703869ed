//! `barmkin rollback`: has a running gate go back to an earlier generation.

use crate::ask::{Form, Which, ask, outcome};
use anyhow::Result;
use http::Method;
use std::process::ExitCode;

/// Has a running gate go back to an earlier generation.
///
/// Routes, policies and settings go back. Keys do not: a secret that was
/// removed stays removed. What is on disk does not come back until it is
/// changed, or a reload is asked for.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    form: Form,
    /// Its number, as `barmkin status --json` has it in `history`; defaults to
    /// the one before.
    #[arg(long)]
    to: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let target = args.to.map_or_else(|| "/rollback".to_owned(), |to| format!("/rollback?to={to}"));
    ask(&args.which, &args.form, Method::POST, &target, outcome)
}
