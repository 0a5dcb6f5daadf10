//! Makes sure that the running shop was built from the files as they are now. Otherwise, a learner who forgets to
//! rebuild would judge the old shop.

use anyhow::ensure;
use flash_sale_testbed::program_file::ProgramFile;

use super::verdict::CheckVerdict;
use crate::build::{ShopBuild, Show, build};
use crate::control::messages::Status;
use crate::control::running;

/// Why a shop is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The tree doesn't compile, and the compiler has said why.
    NotBuilt,
    /// The replicas run a program that was not built from the files as they are now.
    Outdated,
    /// The replicas were replaced while the shop was judged.
    Replaced,
}

impl Refusal {
    /// The verdict that stands for this refusal.
    pub fn verdict(self) -> CheckVerdict {
        match self {
            Self::NotBuilt => CheckVerdict::NotBuilt,
            Self::Outdated | Self::Replaced => CheckVerdict::Outdated,
        }
    }
}

impl std::error::Error for Refusal {}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NotBuilt => {
                "the present files don't compile: see the compiler's messages. After the correction: make build"
            }
            Self::Outdated => {
                "the running shop was not built from the present files. Replace its replicas: make build"
            }
            Self::Replaced => "the replicas were replaced during this command. Run the command again",
        })
    }
}

/// Builds what has changed. Returns the lab's status, and what was built: all replicas run it.
///
/// # Errors
/// A [`Refusal`] when the tree doesn't compile, or the replicas run another program than the one built from it. Another
/// error when no shop runs, or cargo can't be run.
pub async fn running_as_built() -> anyhow::Result<(Status, ShopBuild)> {
    let built = build(Show::All).await?.ok_or(Refusal::NotBuilt)?;
    let status = running().await?;
    ensure!(all_run(&status, &built.file), Refusal::Outdated);
    Ok((status, built))
}

/// Makes sure that the replicas still run this program.
///
/// # Errors
/// [`Refusal::Replaced`] when they run another one. Another error when no shop runs any more.
pub async fn still_running(file: &ProgramFile) -> anyhow::Result<()> {
    ensure!(all_run(&running().await?, file), Refusal::Replaced);
    Ok(())
}

/// Whether all replicas run this program. A replica that has just died is started again from the same file, and isn't
/// counted as long as it has no process.
fn all_run(status: &Status, file: &ProgramFile) -> bool {
    let mut processes = status.replicas.iter().filter_map(|replica| replica.process.as_ref());
    processes.all(|process| process.program.as_ref() == Some(file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::control::messages::{ProcessStatus, ReplicaStatus};

    fn status(programs: [Option<Option<&ProgramFile>>; 2]) -> Status {
        let replica = |program: Option<Option<&ProgramFile>>| ReplicaStatus {
            name: String::new(),
            process: program.map(|program| ProcessStatus {
                pid: 1,
                port: 1,
                started_at: 0,
                program: program.copied(),
                answers: true,
            }),
            restarts: 0,
        };
        Status {
            pid: 1,
            url: String::new(),
            address: ([127, 0, 0, 1], 1).into(),
            most_connections: 1,
            connections_open: 0,
            connections_accepted: 0,
            replicas: programs.map(replica).into(),
            database: None,
            wiretap: false,
            dashboard: None,
        }
    }

    #[test]
    fn one_replica_of_another_build_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop");
        fs::write(&path, "old").unwrap();
        let old = ProgramFile::at(&path).unwrap();
        fs::write(folder.path().join("new"), "new").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        let new = ProgramFile::at(&path).unwrap();

        assert!(all_run(&status([Some(Some(&new)), Some(Some(&new))]), &new));
        assert!(all_run(&status([Some(Some(&new)), None]), &new), "one is being started again");
        assert!(!all_run(&status([Some(Some(&new)), Some(Some(&old))]), &new));
        assert!(!all_run(&status([Some(Some(&new)), Some(None)]), &new), "it doesn't say what it runs");
    }
}
