//! `barmkin reload`: has a running gate take what is on disk.

use crate::ask::{Form, Which, ask, outcome};
use anyhow::Result;
use http::Method;
use std::process::ExitCode;

/// Has a running gate take what is on disk.
///
/// Ends with 0 when it serves, and with 1 and what is wrong when it cannot be
/// used: then the last good generation goes on serving.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ask(&args.which, &args.form, Method::POST, "/reload", outcome)
}
