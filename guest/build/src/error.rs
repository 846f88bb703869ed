use std::io;
use std::path::PathBuf;

/// Why there is no component. All of these are for the policy's author to act
/// on; [`BuildError::help`] says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder is not part of a cargo package or workspace.
    #[error("`{}` is not a cargo package or workspace", folder.display())]
    Metadata {
        /// The folder that was given.
        folder: PathBuf,
        /// Cargo's error.
        source: cargo_metadata::Error,
    },
    /// The folder belongs to a workspace, but no package's manifest is in it.
    #[error("there is no package in `{}`", folder.display())]
    NoPackage {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// The package builds no module that could become a component.
    #[error("package `{package}` has no `cdylib` library")]
    NotCdylib {
        /// The package's name.
        package: String,
    },
    /// The wasm target is missing and could not be added.
    #[error("the target `wasm32-unknown-unknown` is not installed, and rustup could not add it")]
    Target {
        /// Why rustup could not be run; nothing when it ran and failed.
        source: Option<io::Error>,
    },
    /// Cargo or the compiler could not be started.
    #[error("`{program}` could not be started")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// Cargo ended with an error, which it has written to standard error.
    #[error("cargo could not build {packages}")]
    Cargo {
        /// The packages, in backticks, separated by commas.
        packages: String,
    },
    /// A file of the build could not be read.
    #[error("`{}` could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The workspace's manifest is not TOML.
    #[error("`{}` is not valid TOML", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The problem with it.
        source: toml::de::Error,
    },
    /// The package asks for a stack that it cannot have.
    #[error("`{package}` has `stack = {text}` under `[package.metadata.barmkin]`")]
    Stack {
        /// The package's name.
        package: String,
        /// The stack it asks for, as JSON.
        text: String,
    },
    /// Nothing in the crate is marked as the policy.
    #[error("`{package}` has no `#[policy]`")]
    NoPolicy {
        /// The package's name.
        package: String,
    },
    /// Several structs of the crate are marked as the policy.
    #[error("`{package}` has more than one `#[policy]`")]
    TwoPolicies {
        /// The package's name.
        package: String,
    },
    /// The module that was compiled cannot be encoded as a component.
    #[error("`{}` could not be made into a component", module.display())]
    Componentize {
        /// The compiled module.
        module: PathBuf,
        /// The encoder's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BuildError {
    /// The remedy, for the author.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Metadata { .. } | Self::NoPackage { .. } => "name the folder in which the policy's Cargo.toml is",
            Self::NotCdylib { .. } => "write `crate-type = [\"cdylib\", \"rlib\"]` under `[lib]` in its Cargo.toml",
            Self::Target { .. } => "install rustup, or add the target by the means of your Rust distribution",
            Self::Start { .. } => "install Rust with rustup, and see that it is on the PATH",
            Self::Cargo { .. } => "repair what the compiler reports above",
            Self::Read { .. } => "see that the file exists and may be read",
            Self::Manifest { .. } => "repair the manifest of the workspace",
            Self::Stack { .. } => "write a size from `4KiB` to `1024KiB`, in text; the default is `16KiB`",
            Self::NoPolicy { .. } => "write `#[policy]` above the struct of the policy's settings",
            Self::TwoPolicies { .. } => "a component is one policy: move the other to a crate of its own",
            Self::Componentize { .. } => {
                "the crate must use `barmkin-guest`, and nothing that needs an operating system"
            }
        }
    }
}
