use std::io::{BufReader, IsTerminal, stderr};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use cargo_metadata::diagnostic::Diagnostic;
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
    let Reported { modules, policies_clash } = child.stdout.take().map(report).unwrap_or_default();
    let status = child.wait().map_err(start)?;
    if !status.success() {
        return Err(match policies_clash {
            Some(id) => BuildError::TwoPolicies { package: workspace.name_of(&id) },
            None => BuildError::Cargo { packages: list(packages) },
        });
    }
    packages.iter().map(|package| module_of(workspace, package, &modules)).collect()
}

fn command(workspace: &Workspace, packages: &[&str], options: &BuildOptions) -> Result<Command, BuildError> {
    // Diagnostics come with the rest, so that one of them can be told apart.
    let format = if stderr().is_terminal() { "json-diagnostic-rendered-ansi" } else { "json" };
    let stack_bytes = profile::stack_bytes(workspace, packages)?;
    let target_dir = options.target_dir.clone().unwrap_or_else(|| workspace.guests_dir());
    let mut command = Command::new(environment::cargo());
    for name in environment::overrides() {
        command.env_remove(name);
    }
    command
        .current_dir(workspace.root())
        .env("CARGO_ENCODED_RUSTFLAGS", profile::rustflags(workspace, stack_bytes))
        .args(["build", "--lib", "--message-format", format])
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

/// Cargo's messages, as far as anybody acts on them.
#[derive(Default)]
struct Reported {
    modules: Vec<(PackageId, PathBuf)>,
    /// The package that has `#[policy]` twice.
    policies_clash: Option<PackageId>,
}

/// Collects cargo's messages, and passes the compiler's on.
fn report(stdout: ChildStdout) -> Reported {
    let mut reported = Reported::default();
    for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
        match message {
            Message::CompilerArtifact(artifact) if artifact.target.crate_types.contains(&CrateType::CDyLib) => {
                let module = artifact.filenames.into_iter().find(|file| file.extension() == Some("wasm"));
                reported.modules.extend(module.map(|module| (artifact.package_id, module.into())));
            }
            Message::CompilerMessage(message) => {
                eprint!("{}", message.message.rendered.as_deref().unwrap_or_default());
                if is_second_policy(&message.message) {
                    reported.policies_clash = Some(message.package_id);
                }
            }
            _ => {}
        }
    }
    reported
}

/// `#[policy]` defines this name once in the whole crate.
const ONLY_POLICY: &str = "`a_component_is_one_policy`";

fn is_second_policy(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.as_ref().is_some_and(|code| code.code == "E0428") && diagnostic.message.contains(ONLY_POLICY)
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
