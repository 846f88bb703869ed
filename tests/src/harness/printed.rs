//! Configurations of proxies, as `barmkin check --for` prints them.

use super::barmkin::Barmkin;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The configuration that the operator of a gate with `listener` runs as
/// `proxy`, which listens `at` an address, in front of `upstream`.
///
/// No policy is asked for, so that nothing has to be compiled: the fields are
/// those that every gate sets.
pub(super) fn printed(proxy: &str, listener: &str, at: SocketAddr, upstream: SocketAddr) -> String {
    let rules = format!("version = 1\n\n[listen.in]\n{listener}\n\n[[routes]]\nname = \"all\"\npublic = true\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = Barmkin::write_configuration(folder.path(), &rules, &[]);
    printed_by(&file, proxy, "in", at, upstream)
}

/// The same for listener `listener` of a configuration: with the fields that its
/// policies set, too.
pub(super) fn printed_by(file: &Path, proxy: &str, listener: &str, at: SocketAddr, upstream: SocketAddr) -> String {
    let mut check = Command::new(Barmkin::program());
    check.args(["check", "--for", proxy, "--listener", listener]);
    check.args(["--at", &at.to_string(), "--upstream", &upstream.to_string()]).arg(file);
    let output = check.output().unwrap_or_else(|error| panic!("{check:?} did not start: {error}"));
    assert!(output.status.success(), "{check:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a configuration is text")
}

/// A listener at `gate` for `dialect`.
pub(super) fn forward_auth(dialect: &str, gate: SocketAddr) -> String {
    format!("kind = \"forward-auth\"\naddress = \"{gate}\"\ndialect = \"{dialect}\"")
}
