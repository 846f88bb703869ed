//! `barmkin nonce`: looks into a nonce space of a running gate, and mends it.

use crate::ask::{Which, ask};
use anyhow::{Result, bail};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::process::ExitCode;

/// Looks into a nonce space of a running gate, and mends it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Prints what is claimed, up to 1,000, as JSON.
    List {
        /// The nonce space, as the configuration names it.
        space: String,
        #[command(flatten)]
        which: Which,
    },
    /// Frees a nonce: what has it is let in once more.
    ///
    /// For a delivery that counts as used and never arrived. Its digest is in the
    /// gate's log, and in what `nonce list` prints.
    Forget {
        /// The nonce space, as the configuration names it.
        space: String,
        /// 64 hexadecimal digits.
        digest: String,
        #[command(flatten)]
        which: Which,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::List { space, which } => ask(which, Method::GET, &format!("/nonces?space={}", encoded(space))),
        Command::Forget { space, digest, which } => {
            if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                bail!("`{digest}` is not a digest\n  help: it is 64 hexadecimal digits, as the gate's log has them");
            }
            ask(which, Method::POST, &format!("/nonces/forget?space={}&digest={digest}", encoded(space)))
        }
    }
}

fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
