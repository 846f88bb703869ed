//! `barmkin policies`: the stock policies in this binary, and what a policy says of
//! itself.

use crate::described::Described;
use crate::input;
use crate::table::Table;
use anyhow::{Context, Result, bail};
use barmkin_host::limits::COMPONENT_BYTES_MAX;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::ExitCode;

/// Lists the stock policies, or shows the settings, reasons and an example of one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A stock policy by its name, or the file of a component.
    name: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.name {
        Some(name) => show(name, args.json)?,
        None => list(args.json),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(as_json: bool) {
    let digest = |component: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(component)));
    if as_json {
        let policies = barmkin_stock::all().iter().map(|stock| {
            let component = stock.component;
            json!({ "name": stock.name, "bytes": component.len(), "digest": digest(component) })
        });
        println!("{:#}", json!({ "policies": policies.collect::<Vec<_>>() }));
    } else {
        let mut table = Table::new(["policy", "bytes", "digest"]);
        for stock in barmkin_stock::all() {
            table.row([format!("stock:{}", stock.name), stock.component.len().to_string(), digest(stock.component)]);
        }
        print!("{table}");
    }
}

fn show(name: &str, as_json: bool) -> Result<()> {
    let description = description(name)?;
    if as_json {
        println!("{description:#}");
    } else {
        println!("# {name}\n");
        print!("{}", Described(&description));
    }
    Ok(())
}

/// The description of the policy of this name.
pub(crate) fn description(name: &str) -> Result<Value> {
    let stock = barmkin_stock::get(name.strip_prefix("stock:").unwrap_or(name));
    let file = Path::new(name.strip_prefix("file:").unwrap_or(name));
    let component = match stock {
        Some(stock) => stock.component.to_vec(),
        None if !file.is_file() => {
            let names: Vec<_> = barmkin_stock::all().iter().map(|stock| stock.name).collect();
            bail!("`{name}` is neither a stock policy nor a file\n  help: the stock policies are {}", names.join(", "))
        }
        None => input::read(file, COMPONENT_BYTES_MAX)?,
    };
    barmkin_host::description(&component).with_context(|| {
        format!(
            "`{name}` says nothing of itself\n  help: its author must build it with `barmkin build` of this release"
        )
    })
}
