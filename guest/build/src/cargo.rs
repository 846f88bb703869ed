use std::io::BufReader;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use cargo_metadata::{CrateType, Message, PackageId};

use crate::error::BuildError;
use crate::workspace::Workspace;
use crate::{BuildOptions, environment, profile, target};

/// Compiles packages, and returns where their modules are, in their order.
pub(crate) fn build(
    workspace: &Workspace,
    packages: &[&str],
    options: &BuildOptions,
) -> Result<Vec<PathBuf>, BuildError> {
    target::ensure()?;
    let mut command = command(workspace, packages, options)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| BuildError::Start { program: program.clone(), source };
    let mut child = command.spawn().map_err(start)?;
    let modules = child.stdout.take().map(modules_in).unwrap_or_default();
    let status = child.wait().map_err(start)?;
    if !status.success() {
        return Err(BuildError::Cargo { packages: list(packages) });
    }
    packages.iter().map(|package| module_of(workspace, package, &modules)).collect()
}

fn command(workspace: &Workspace, packages: &[&str], options: &BuildOptions) -> Result<Command, BuildError> {
    let target_dir = options.target_dir.clone().unwrap_or_else(|| workspace.guests_dir());
    let mut command = Command::new(environment::cargo());
    for name in environment::overrides() {
        command.env_remove(name);
    }
    command
        .current_dir(workspace.root())
        .env("CARGO_ENCODED_RUSTFLAGS", profile::rustflags(workspace))
        .args(["build", "--lib", "--message-format=json-render-diagnostics"])
        .args(["--target", target::TRIPLE, "--profile", profile::NAME])
        .args(profile::arguments(workspace)?)
        .arg("--target-dir")
        .arg(target_dir)
        .args(options.locked.then_some("--locked"))
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Ok(command)
}

/// The modules among what cargo says it has built.
fn modules_in(stdout: ChildStdout) -> Vec<(PackageId, PathBuf)> {
    Message::parse_stream(BufReader::new(stdout))
        .filter_map(|message| match message {
            Ok(Message::CompilerArtifact(artifact)) if artifact.target.crate_types.contains(&CrateType::CDyLib) => {
                let module = artifact.filenames.into_iter().find(|file| file.extension() == Some("wasm"))?;
                Some((artifact.package_id, module.into()))
            }
            _ => None,
        })
        .collect()
}

fn module_of(workspace: &Workspace, package: &str, modules: &[(PackageId, PathBuf)]) -> Result<PathBuf, BuildError> {
    let id = workspace.id_of(package);
    modules
        .iter()
        .find(|(built, _)| Some(built) == id)
        .map(|(_, module)| module.clone())
        .ok_or_else(|| BuildError::NotCdylib { package: package.to_owned() })
}

fn list(packages: &[&str]) -> String {
    packages.iter().map(|package| format!("`{package}`")).collect::<Vec<_>>().join(", ")
}
