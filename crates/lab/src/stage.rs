//! The explorer's stage for this project: where its files are, and which program its replicas run.

use std::path::Path;

use anyhow::Context;
use flash_sale_explorer::StageSettings;

use crate::project;

/// A stage for so many actors, whose replicas run `binary`.
///
/// # Errors
/// When the current folder is gone.
pub fn settings(binary: &Path, actors: usize) -> anyhow::Result<StageSettings> {
    Ok(StageSettings {
        folder: project::EXPLORER.into(),
        programs: project::PROGRAMS.into(),
        binary: binary.to_owned(),
        // The replicas work in another folder.
        static_folder: std::path::absolute("static").context("the current folder is gone")?,
        actors,
    })
}
