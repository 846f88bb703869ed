//! `barmkin api-key new`: a key for a caller, and the entry for it that is kept.

mod entry;
mod file;

use crate::load;
use crate::terminal;
use anyhow::{Context, Result, anyhow, bail};
use barmkin_config::{Issuer, LoadOptions};
use barmkin_host::{Clock, SystemClock};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use entry::Entry;
use std::path::PathBuf;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Bytes of randomness in a key: nobody guesses 256 bits.
const KEY_BYTES: usize = 32;

/// Makes API keys.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a key, prints it once, and prints or appends the entry by which
    /// `stock:api-key` knows it, in which only its keyed hash is.
    New(New),
}

#[derive(clap::Args)]
#[command(mut_arg("file", |file| file.help("The configuration: a file, or a folder with a `barmkin.toml`")))]
struct New {
    /// The configuration, whose pepper the key is hashed under: a file, or a folder
    /// with a `barmkin.toml`.
    #[command(flatten)]
    file: load::File,
    /// The policy that will know the key; needed where several have a pepper.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The beginning of the key, by which scanners find it where it leaks.
    #[arg(long, default_value = "bk_")]
    prefix: String,
    /// Appends the entry to this file of keys, which is made if there is none.
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
    /// Prints a JSON object: `key`, and its `entry`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    entry: entry::Args,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let Command::New(new) = args.command;
    if !new.prefix.bytes().all(|byte| byte.is_ascii_graphic()) || new.prefix.len() > 64 {
        bail!("`{}` cannot begin a key\n  help: use up to 64 visible ASCII characters", new.prefix);
    }
    let issuer = Issuer::load(&new.file.path()?, &LoadOptions::at(SystemClock.now()), new.policy.as_deref())?;
    let mut random = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *random).map_err(|error| anyhow!("the machine gives no randomness: {error}"))?;
    let key = Zeroizing::new(format!("{}{}", new.prefix, BASE64_URL_SAFE_NO_PAD.encode(*random)));
    let hash = issuer.pepper.hash_to_keep(key.as_bytes()).ok_or_else(|| anyhow!("the pepper hashes nothing"))?;
    let entry = Entry::new(new.entry, &hash)?;
    if new.append.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        bail!("an entry cannot be appended to standard output\n  help: name a file, or leave `--append` out");
    }
    let line = new.append.as_deref().map(|path| file::line(path, &entry)).transpose()?;
    let shown = if new.json {
        format!("{:#}", serde_json::json!({ "key": *key, "entry": entry }))
    } else {
        format!("key (shown this once): {}", *key)
    };
    let shown = Zeroizing::new(shown);
    match line {
        None => println!("{}", *shown),
        Some(line) => {
            // The key first: an entry of one that nobody has seen is of no use.
            terminal::show_once(format_args!("{}", *shown))
                .context("standard output cannot be written, so that no key was made")?;
            line.append()?;
        }
    }
    if new.json {
        return Ok(ExitCode::SUCCESS);
    }
    match &new.append {
        Some(path) => println!("appended to {}: key `{}`", path.display(), entry.id()),
        None => {
            println!(
                "add to the file of keys of policy `{}`, as a line: {}",
                issuer.policy,
                serde_json::to_string(&entry)?
            );
            println!("or to its settings' `keys`: {}", entry.to_toml()?);
        }
    }
    Ok(ExitCode::SUCCESS)
}
