//! Puts the wiretap between the replicas and PostgreSQL.

use std::path::Path;

use anyhow::Context;
use flash_sale_core::secret::Secret;
use flash_sale_testbed::own_files;
use flash_sale_wiretap::{Entrance, Wiretap};

use crate::project;
use crate::supervisor::replica_name;

/// Taps the way to the database of `url` for so many replicas.
///
/// # Errors
/// When there can be no wiretap: the error says why. The replicas then go to the database directly.
pub(super) async fn tap(url: &Secret, replicas: u32) -> anyhow::Result<Wiretap> {
    let names: Vec<String> = (0..replicas).map(replica_name).collect();
    // Not on ports: any user of this machine could take all of PostgreSQL's connections through them.
    let folder = Path::new(project::WIRE);
    own_files::make_folder(folder, 0o700).with_context(|| format!("can't make {}", folder.display()))?;
    own_files::require_ours(folder).with_context(|| format!("can't use {}", folder.display()))?;
    let wiretap = Wiretap::listen(url.reveal(), &names, Entrance::Folder(folder))?;
    wiretap.try_out().await.context("no session can be opened through it")?;
    Ok(wiretap)
}
