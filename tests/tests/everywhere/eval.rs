//! `barmkin eval`: a process for each request, with a store of its own.

use crate::cases::Case;
use crate::ways::{Ask, Seen};
use barmkin_tests::harness::Barmkin;
use barmkin_tests::rules::{self, SECRETS};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

/// Asks `barmkin eval`, several at once. The first of each worker compiles the
/// policies, and the others find them in the cache.
pub(crate) fn way() -> Ask {
    Box::new(|cases| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let each = cases.len().div_ceil(workers);
        std::thread::scope(|scope| {
            let workers: Vec<_> = cases.chunks(each).map(|cases| scope.spawn(|| evaluate_all(cases))).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
        })
    })
}

fn evaluate_all(cases: &[Case]) -> Vec<Seen> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = rules::api_and_webhooks() + "\n[cache]\npath = \"cache\"\n";
    let file = Barmkin::write_configuration(folder.path(), &rules, &SECRETS);
    let body = folder.path().join("body");
    let ask = |case: &Case| {
        std::fs::write(&body, &case.request.body).expect("a file for the body");
        evaluate(&file, &body, case)
    };
    cases.iter().map(ask).collect()
}

fn evaluate(file: &Path, body: &Path, case: &Case) -> Seen {
    let request = &case.request;
    let mut command = Command::new(Barmkin::program());
    command.arg("eval").arg(file).args(["--json", "--client-address", "127.0.0.1", "--method", &request.method]);
    command.arg(format!("--path={}", request.target)).arg("--body-file").arg(body);
    for (name, value) in &request.fields {
        let mut field = OsString::from(format!("--header={name}: "));
        field.push(OsStr::from_bytes(value));
        command.arg(field);
    }
    let output = command.output().expect("`barmkin eval` runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let verdict: Value = match output.status.code() {
        Some(0 | 1) => serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}")),
        status => panic!("`{}`: {status:?}: {complaint}", case.name),
    };
    let text = |name: &str| verdict[name].as_str().map(str::to_owned);
    match text("reason") {
        None => Seen::Allow { received: None, principal: text("principal") },
        Some(reason) => Seen::Deny(reason),
    }
}
