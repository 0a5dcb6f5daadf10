//! Puts the wiretap between the replicas and PostgreSQL.

use std::path::Path;

use anyhow::{Context, ensure};
use flash_sale_core::secret::Secret;
use flash_sale_testbed::{open_files, own_files};
use flash_sale_wiretap::{Entrance, Wiretap};

use crate::project;
use crate::settings::LabSettings;
use crate::supervisor::replica_name;

/// Of the files that this process may open, the wiretap takes no more than this part. The gateway needs the others.
const PART: u64 = 4;

/// How many files the wiretap opens: two for each connection of a replica. A replica that is replaced has its
/// connections together with its successor.
fn files_needed(settings: &LabSettings) -> u64 {
    2 * u64::from(settings.pool_size) * u64::from(settings.replicas + 1)
}

fn can_be(settings: &LabSettings) -> bool {
    files_needed(settings) <= open_files::allowed() / PART
}

/// How many files the wiretap and the dashboard open with these settings. Zero if there will be no wiretap.
pub(super) fn files_opened(settings: &LabSettings) -> u64 {
    if !settings.wiretap || !can_be(settings) {
        return 0;
    }
    let of_dashboard = settings.dashboard_port.map_or(0, |_| flash_sale_dashboard::MOST_CONNECTIONS as u64);
    files_needed(settings) + of_dashboard
}

/// Taps the replicas' way to the database of `url`.
///
/// # Errors
/// When there can be no wiretap: the error says why. The replicas then go to the database directly.
pub(super) async fn tap(url: &Secret, settings: &LabSettings) -> anyhow::Result<Wiretap> {
    let needed = files_needed(settings);
    ensure!(can_be(settings), "it needs {needed} of the open files. {}", open_files::advice());
    let replicas = settings.replicas;
    let names: Vec<String> = (0..replicas).map(replica_name).collect();
    // Not on ports: any user of this machine could take all of PostgreSQL's connections through them.
    let folder = Path::new(project::WIRE);
    own_files::make_our_folder(folder, 0o700)?;
    let wiretap = Wiretap::listen(url.reveal(), &names, Entrance::Folder(folder))?;
    wiretap.try_out().await.context("no session can be opened through it")?;
    Ok(wiretap)
}
