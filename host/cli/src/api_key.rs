//! `barmkin api-key new`: a key for a caller, and the hash of it that is kept.

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::path::{Path, PathBuf};
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
    /// Makes a key, prints it once, and prints the entry for the settings of
    /// `api-key`, in which only its keyed hash is.
    New {
        /// Who will use it.
        #[arg(long)]
        id: String,
        /// The file with the pepper: the secret of the key that the policy is
        /// granted as `pepper`.
        #[arg(long)]
        pepper: PathBuf,
        /// Scopes it is given.
        #[arg(long)]
        scope: Vec<String>,
        /// What the key begins with, so that scanners find it where it leaks.
        #[arg(long, default_value = "bk_")]
        prefix: String,
    },
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let Command::New { id, pepper, scope, prefix } = args.command;
    let pepper = read_pepper(&pepper)?;
    let mut random = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *random).map_err(|error| anyhow!("the machine gives no randomness: {error}"))?;
    let key = Zeroizing::new(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(*random)));
    let entry = toml::Table::from_iter([
        ("id".to_owned(), toml::Value::from(id)),
        ("hash".to_owned(), toml::Value::from(hex::encode(keyed_hash(&pepper, key.as_bytes())?))),
        ("scopes".to_owned(), toml::Value::from(scope)),
    ]);
    println!("key (shown this once): {}", *key);
    println!("add to the settings' `keys`: {}", toml::Value::Table(entry));
    Ok(ExitCode::SUCCESS)
}

/// Bytes of a pepper: a file that is longer is some other file.
const PEPPER_BYTES_MAX: usize = 64 * 1024;

/// The pepper without the newline that editors add, as `serve` reads it.
fn read_pepper(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut pepper = Zeroizing::new(
        barmkin_files::read(path, PEPPER_BYTES_MAX).with_context(|| format!("cannot read `{}`", path.display()))?,
    );
    for end in *b"\n\r" {
        if pepper.last() == Some(&end) {
            pepper.pop();
        }
    }
    if pepper.is_empty() {
        bail!("`{}` is empty: a hash under an empty pepper protects nothing", path.display());
    }
    Ok(pepper)
}

fn keyed_hash(pepper: &[u8], key: &[u8]) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(pepper).context("the pepper is no key")?;
    mac.update(key);
    Ok(mac.finalize().into_bytes().to_vec())
}
