//! Asks a running gate, for the commands that do.

use crate::help::Help;
use crate::load;
use crate::table::cell;
use anyhow::{Context, Result, anyhow, bail};
use barmkin_admin::Answer;
use barmkin_config::{Address, Config, LoadOptions};
use barmkin_host::{Clock, SystemClock};
use barmkin_tls::{ClientFiles, ClientTls};
use http::Method;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which gate.
#[derive(clap::Args)]
pub(crate) struct Which {
    #[command(flatten)]
    file: load::File,
    /// Where it is asked, instead of where the configuration says: `unix:` and
    /// a path, `host:port`, or `https://host:port` where it speaks TLS.
    #[arg(long)]
    admin: Option<String>,
    /// With `https://`: the certificates of the CAs that vouch for the gate, as
    /// a PEM file.
    #[arg(long, value_name = "FILE", requires = "admin")]
    ca: Option<PathBuf>,
    /// With `https://`: the operator's certificate and its chain, as a PEM file.
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    cert: Option<PathBuf>,
    /// Its private key, as a PEM file that not everyone can read.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// How a gate is asked.
enum Way {
    Plain(String),
    Tls(String, ClientTls),
}

impl Which {
    fn way(&self) -> Result<Way> {
        let Some(admin) = &self.admin else { return self.configured().map(Way::Plain) };
        match (admin.strip_prefix("https://"), &self.ca) {
            (None, None) => Ok(Way::Plain(admin.clone())),
            (None, Some(_)) => bail!("`{admin}` has no TLS\n  help: write `https://` before it, or leave out `--ca`"),
            (Some(_), None) => {
                bail!("nothing says who vouches for the gate at `{admin}`\n  help: add `--ca` and a PEM file")
            }
            (Some(address), Some(ca)) => {
                let files = ClientFiles { ca: ca.clone(), identity: self.cert.clone().zip(self.key.clone()) };
                let tls = ClientTls::load(&files).map_err(|error| {
                    let help = error.help();
                    anyhow!("{:#}\n  help: {help}", anyhow!(error))
                })?;
                Ok(Way::Tls(address.trim_end_matches('/').to_owned(), tls))
            }
        }
    }

    /// Where the configuration says.
    fn configured(&self) -> Result<String> {
        let admin = Config::admin(self.file.path()?, &LoadOptions::at(SystemClock.now()))?;
        if admin.tls.is_some() {
            bail!(
                "the admin listener speaks TLS, and the configuration does not say by what name and certificate it is \
                 asked\n  help: add `--admin https://HOST:PORT --ca FILE --cert FILE --key FILE`"
            );
        }
        Ok(match admin.address {
            Address::Unix { path, .. } => format!("unix:{}", path.display()),
            Address::Tcp(address) => address,
        })
    }
}

/// How an answer is printed.
#[derive(clap::Args)]
pub(crate) struct Form {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Sends one request, and prints the answer: as JSON, or as `show` says it.
///
/// Ends with 0 if it was done, and with 1 if the gate says why not.
pub(crate) fn ask(
    which: &Which,
    form: &Form,
    method: Method,
    target: &str,
    show: impl FnOnce(&Value) -> String,
) -> Result<ExitCode> {
    let way = which.way()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let answer = runtime.block_on(async {
        match &way {
            Way::Plain(address) => barmkin_admin::ask(address, method, target).await,
            Way::Tls(address, tls) => barmkin_admin::ask_by_tls(address, tls, method, target).await,
        }
    });
    let Answer { status, body } =
        answer.help("see that the gate runs, and that this user may ask it; `--admin` says where it is asked")?;
    let text = String::from_utf8_lossy(&body);
    let said: Option<Value> = serde_json::from_str(&text).ok();
    let problem = said.as_ref().and_then(|said| said.get("problem")?.as_str());
    match (status.is_success(), said.as_ref(), problem) {
        (true, Some(_), _) | (false, Some(_), Some(_)) if form.json => print!("{text}"),
        (true, Some(said), _) => print!("{}", show(said)),
        (false, Some(_), Some(problem)) => eprintln!("{problem}"),
        // Whatever answers there, it is no gate, or does not answer us.
        _ => {
            bail!("what listens there answered {status}: {}\n  help: ask the admin listener of a gate", text.trim_end())
        }
    }
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The outcome of an order.
pub(crate) fn outcome(said: &Value) -> String {
    let [outcome, number, generation] = ["/outcome", "/number", "/generation"].map(|part| cell(said, part));
    format!("{outcome}: generation {number} serves ({generation})\n")
}
