//! Asks a running gate, for the commands that do.

use crate::load;
use anyhow::{Context, Result, anyhow, bail};
use barmkin_admin::Answer;
use barmkin_config::{Address, Config, LoadOptions};
use barmkin_host::{Clock, SystemClock};
use barmkin_tls::{ClientFiles, ClientTls};
use http::Method;
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
            (Some(_), None) => bail!("nothing says who vouches for the gate\n  help: add `--ca` and a PEM file"),
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
        let admin = Config::admin(&self.file.file, &LoadOptions::at(SystemClock.now()))?;
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

/// Sends one request, prints the answer, and ends with 0 if it is a good one.
pub(crate) fn ask(which: &Which, method: Method, target: &str) -> Result<ExitCode> {
    let way = which.way()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let Answer { status, body } = runtime.block_on(async {
        match &way {
            Way::Plain(address) => barmkin_admin::ask(address, method, target).await,
            Way::Tls(address, tls) => barmkin_admin::ask_by_tls(address, tls, method, target).await,
        }
    })?;
    let text = String::from_utf8_lossy(&body);
    if status.is_success() {
        print!("{text}");
        Ok(ExitCode::SUCCESS)
    } else {
        eprint!("{}", problem(&text));
        Ok(ExitCode::FAILURE)
    }
}

/// What went wrong, as lines; all of the answer if it does not say.
fn problem(answer: &str) -> String {
    let answer_json: Option<serde_json::Value> = serde_json::from_str(answer).ok();
    let problem = answer_json.as_ref().and_then(|answer| answer.get("problem")?.as_str());
    problem.map_or_else(|| answer.to_owned(), |problem| format!("{problem}\n"))
}
