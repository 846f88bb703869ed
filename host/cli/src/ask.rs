//! Asks a running gate, for the commands that do.

use crate::load;
use anyhow::{Context, Result};
use barmkin_admin::Answer;
use barmkin_config::{Address, Config, LoadOptions};
use barmkin_host::{Clock, SystemClock};
use http::Method;
use std::process::ExitCode;

/// Which gate.
#[derive(clap::Args)]
pub(crate) struct Which {
    #[command(flatten)]
    file: load::File,
    /// Where it is asked, instead of where the configuration says: `unix:` and
    /// a path, or `host:port`.
    #[arg(long)]
    admin: Option<String>,
}

impl Which {
    fn address(&self) -> Result<String> {
        if let Some(address) = &self.admin {
            return Ok(address.clone());
        }
        let admin = Config::admin(&self.file.file, &LoadOptions::at(SystemClock.now()))?;
        Ok(match admin.address {
            Address::Unix { path, .. } => format!("unix:{}", path.display()),
            Address::Tcp(address) => address,
        })
    }
}

/// Sends one request, prints the answer, and ends with 0 if it is a good one.
pub(crate) fn ask(which: &Which, method: Method, target: &str) -> Result<ExitCode> {
    let address = which.address()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("no runtime")?;
    let Answer { status, body } = runtime.block_on(barmkin_admin::ask(&address, method, target))?;
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
