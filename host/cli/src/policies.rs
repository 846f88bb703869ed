//! `barmkin policies`: the stock policies in this binary.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::process::ExitCode;

/// Lists the stock policies, with their digests.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    for stock in barmkin_stock::all() {
        let digest = hex::encode(Sha256::digest(stock.component));
        println!("stock:{:<20} {:>7} bytes  sha256:{digest}", stock.name, stock.component.len());
    }
    Ok(ExitCode::SUCCESS)
}
