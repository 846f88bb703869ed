//! `barmkin status`: what a running gate serves, and what it did.

use crate::ask::{Which, ask};
use anyhow::Result;
use http::Method;
use std::process::ExitCode;

/// Prints what a running gate serves and what it did, as JSON.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ask(&args.which, Method::GET, "/status")
}
