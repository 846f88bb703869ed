//! `barmkin nonce`: looks into a nonce space of a running gate, and mends it.

use crate::ask::{Form, Which, ask};
use crate::table::{Table, cell};
use anyhow::{Result, bail};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::process::ExitCode;

/// Looks into a nonce space of a running gate, and mends it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Prints what is claimed, up to 1,000.
    List {
        /// The nonce space, as the configuration names it.
        space: String,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        form: Form,
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
        #[command(flatten)]
        form: Form,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::List { space, which, form } => {
            ask(which, form, Method::GET, &format!("/nonces?space={}", encoded(space)), listed)
        }
        Command::Forget { space, digest, which, form } => {
            if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                bail!("`{digest}` is not a digest\n  help: it is 64 hexadecimal digits, as the gate's log has them");
            }
            let target = format!("/nonces/forget?space={}&digest={digest}", encoded(space));
            ask(which, form, Method::POST, &target, |_| format!("`{digest}` is let in once more\n"))
        }
    }
}

fn listed(said: &Value) -> String {
    let nonces = said.get("nonces").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut table = Table::new(["digest", "state", "expires in"]);
    for nonce in nonces {
        let seconds = cell(nonce, "/expires-in-seconds");
        table.row([cell(nonce, "/digest"), cell(nonce, "/state"), format!("{seconds} s")]);
    }
    let more = if said.get("all") == Some(&Value::Bool(false)) { "there are more\n" } else { "" };
    format!("{table}{more}")
}

fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
