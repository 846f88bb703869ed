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
mod eval;
mod head_requests;
mod health;
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
mod test;
mod upstreams;

use clap::Parser;
use std::process::ExitCode;

/// Decides requests by sandboxed policies, in front of webhooks and APIs.
#[derive(Parser)]
#[command(name = "barmkin", version)]
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

/// What a command ends with when it could not do its work; 1 is a "no".
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
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
        Command::Policies(args) => policies::run(args),
        Command::Schema(args) => schema::run(args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{}", error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "));
        ExitCode::from(FAILED)
    })
}
