use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, PackageId};

use crate::environment;
use crate::error::BuildError;

/// The cargo workspace that a policy is in; a package alone is one too.
pub(crate) struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    pub(crate) fn of(folder: &Path) -> Result<Self, BuildError> {
        let mut command = MetadataCommand::new();
        command.current_dir(folder).no_deps();
        for name in environment::overrides() {
            command.env_remove(name);
        }
        let metadata = command.exec().map_err(|source| BuildError::Metadata { folder: folder.to_owned(), source })?;
        Ok(Self { metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    pub(crate) fn guests_dir(&self) -> PathBuf {
        self.metadata.target_directory.join("guests").into()
    }

    /// The name of the package whose manifest is in this folder.
    pub(crate) fn package_in(&self, folder: &Path) -> Result<String, BuildError> {
        let missing = || BuildError::NoPackage { folder: folder.to_owned() };
        let manifest = folder.join("Cargo.toml").canonicalize().map_err(|_| missing())?;
        self.metadata
            .packages
            .iter()
            .find(|package| {
                let known = package.manifest_path.as_std_path();
                known.canonicalize().is_ok_and(|known| known == manifest)
            })
            .map(|package| package.name.to_string())
            .ok_or_else(missing)
    }

    pub(crate) fn id_of(&self, package: &str) -> Option<&PackageId> {
        self.metadata
            .workspace_packages()
            .into_iter()
            .find(|known| known.name.as_str() == package)
            .map(|known| &known.id)
    }

    /// A setting under `[package.metadata.barmkin]`, as JSON.
    pub(crate) fn setting(&self, package: &str, name: &str) -> Option<String> {
        let package = self.metadata.packages.iter().find(|known| known.name.as_str() == package)?;
        package.metadata.get("barmkin")?.get(name).map(ToString::to_string)
    }

    /// The name of a package of the workspace; the id of another.
    pub(crate) fn name_of(&self, id: &PackageId) -> String {
        let known = self.metadata.packages.iter().find(|package| package.id == *id);
        known.map_or_else(|| id.repr.clone(), |package| package.name.to_string())
    }
}
