//! The command line of Barmkin: one file per command.

// First: its macros are for all that follow.
#[macro_use]
mod terminal;

mod api_key;
mod ask;
mod build;
mod cases;
mod check;
mod deliveries;
mod described;
mod eval;
mod head_requests;
mod health;
mod help;
mod input;
mod live;
mod load;
mod loaded;
mod new;
mod nonce;
mod policies;
mod proxies;
mod reload;
mod request;
mod rollback;
mod schema;
mod sdk;
mod serve;
mod sockets;
mod status;
mod stopping;
mod store;
mod supervisor;
mod table;
mod test;
mod upstreams;

use barmkin_config::{Report, WithLines};
use clap::Parser;
use std::process::ExitCode;

/// Decides requests by sandboxed policies, in front of webhooks and APIs.
#[derive(Parser)]
#[command(name = "barmkin", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    New(new::Args),
    Sdk(sdk::Args),
    Build(build::Args),
    Check(check::Args),
    Eval(eval::Args),
    Test(test::Args),
    Serve(serve::Args),
    Reload(reload::Args),
    Rollback(rollback::Args),
    Status(status::Args),
    Nonce(nonce::Args),
    ApiKey(api_key::Args),
    Policies(policies::Args),
    Schema(schema::Args),
}

const EXIT_CODES: &str = "\
Every command ends with
  0  when it was done, or the answer is yes
  1  when the answer is no: a request is denied, a case differs, a configuration has
     problems, a running gate refuses what it was asked for
  2  when there is no answer: the command line is wrong, a file cannot be read, nothing
     could be built, no gate can be reached

Where a file is taken, `-` is standard input. Where a configuration is taken, a folder
stands for the `barmkin.toml` in it.";

/// The exit code where there is no answer.
const NO_ANSWER: u8 = 2;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // A log is no place for parts of the configuration.
    let has_lines = !matches!(command, Command::Serve(_));
    let result = match command {
        Command::New(args) => new::run(args),
        Command::Sdk(args) => sdk::run(&args),
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(&args),
        Command::Eval(args) => eval::run(args),
        Command::Test(args) => test::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Rollback(args) => rollback::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Nonce(args) => nonce::run(&args),
        Command::ApiKey(args) => api_key::run(args),
        Command::Policies(args) => policies::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    let code = result.unwrap_or_else(|error| {
        match error.downcast_ref::<Report>().filter(|_| has_lines) {
            Some(report) => eprintln!("{}", WithLines(&report.findings)),
            None => eprintln!("{}", help::shown(&error)),
        }
        ExitCode::from(NO_ANSWER)
    });
    match terminal::failure() {
        Some(error) => {
            eprintln!("standard output cannot be written: {error}");
            ExitCode::from(NO_ANSWER)
        }
        None => code,
    }
}
