//! Files that hold secrets, and permissions that give them away.

use std::fmt;
use std::fs::Metadata;
use std::path::Path;

/// Permissions of a file that are too wide for a secret. Its group may read it:
/// that is how secrets are mounted for a user who is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    to: To,
    mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    EveryReader,
    EveryWriter,
    WritersOfItsGroup,
}

impl Exposure {
    /// The worst that the permissions of a file allow, judged on the open file:
    /// its path may lead elsewhere by then.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt;

        let mode = metadata.permissions().mode() & 0o777;
        let to = match mode {
            mode if mode & 0o004 != 0 => To::EveryReader,
            mode if mode & 0o002 != 0 => To::EveryWriter,
            mode if mode & 0o020 != 0 => To::WritersOfItsGroup,
            _ => return None,
        };
        Some(Self { to, mode })
    }

    /// Other systems do not say it in a mode.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether the secret can be used all the same: a group is somebody's choice.
    pub fn is_bearable(self) -> bool {
        self.to == To::WritersOfItsGroup
    }

    /// The remedy for the file at `path`, by where that is: files that are mounted
    /// cannot be changed.
    pub fn remedy(self, path: &Path) -> String {
        // Kubernetes swaps a link of this name for all files of a volume at once.
        if path.parent().is_some_and(|folder| folder.join("..data").is_symlink()) {
            return "a mounted Secret cannot be changed: write `defaultMode: 0440` for its volume, and in the pod's \
                    `securityContext` an `fsGroup` that barmkin is in"
                .to_owned();
        }
        if path.starts_with("/run/secrets") {
            return "a mounted secret cannot be changed: give it a `mode: 0400`, and the `uid` that barmkin runs as, \
                    where the service names it"
                .to_owned();
        }
        let change = if self.is_bearable() { "g-w" } else { "o-rwx" };
        format!("take that away: `chmod {change} {}`", path.display())
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = match self.to {
            To::EveryReader => "is readable by everyone",
            To::EveryWriter => "can be written by everyone",
            To::WritersOfItsGroup => "can be written by its group",
        };
        write!(f, "{is} (mode {:03o})", self.mode)
    }
}
