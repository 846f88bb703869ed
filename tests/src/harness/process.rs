//! A server process that ends with its owner.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running process with a folder of its own.
pub(super) struct Process {
    child: Child,
    /// Ends the process when this one is gone, which a static or a signal does
    /// not tell [`Drop`].
    keeper: Child,
    folder: TempDir,
}

impl Process {
    /// Starts what `command` makes of a new folder. Its output goes to a file
    /// there.
    pub(super) fn start(command: impl FnOnce(&Path) -> Command) -> Self {
        let folder = tempfile::Builder::new().prefix("barmkin-test-").tempdir().expect("a temporary folder");
        let output = File::create(folder.path().join("output")).expect("a file for its output");
        let errors = output.try_clone().expect("the same file");
        let mut command = command(folder.path());
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let keeper = keep(&child);
        Self { child, keeper, folder }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(&mut self) {
        // First: a number that is free again may be another process's.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, as `kill -NAME` does.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "`kill -{name}` failed");
    }

    /// The output so far.
    pub(super) fn output(&self) -> String {
        std::fs::read(self.folder.path().join("output"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Panics with its output unless `ready`.
    pub(super) fn expect(&self, what: &str, ready: bool) {
        assert!(ready, "{what} is not ready; it wrote:\n{}", self.output());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for the end of its input, which only this process could write to, and
/// ends `child`.
fn keep(child: &Child) -> Child {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", "read -r _; kill -KILL \"$0\"", &child.id().to_string()]);
    let started = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.unwrap_or_else(|error| panic!("{keeper:?} did not start: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_server_ends_with_whoever_started_it() {
        let mut process = Process::start(|_| {
            let mut command = Command::new("sleep");
            command.arg("1000");
            command
        });
        assert!(process.is_alive());
        // As when this process is gone.
        drop(process.keeper.stdin.take());
        assert_eq!(process.child.wait().unwrap().signal(), Some(9));
    }
}
