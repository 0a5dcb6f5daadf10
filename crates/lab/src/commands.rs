//! The commands that a person can type after `lab`, one file each.

pub mod bench;
pub mod check;
pub mod clean;
pub mod down;
pub mod drill;
pub mod engine_message;
pub mod explore;
pub mod guide_pictures;
pub mod hint;
pub mod logs;
pub mod predict;
pub mod progress_line;
pub mod psql;
pub mod race;
pub mod restart;
pub mod serve;
pub mod slow_motion;
pub mod status;
pub mod step;
pub mod tap;
pub mod test_guide;
pub mod timeline;
pub mod up;
pub mod usage;
pub mod watch;

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::build::{ShopBuild, Show, build};
use crate::project;
use crate::signals::end_signal;

/// The message of a command that needs the built shop. The compiler has already said why it isn't built.
const NOT_BUILT: &str = "the shop doesn't compile: see the compiler's messages above. Replicas that run are still the \
                         old ones. Correct the code, and run the command again";

/// The shop's program, built from the files as they are, for a stage of its own. The replicas that run are not replaced.
///
/// # Errors
/// When the shop doesn't compile, or a folder can't be made.
async fn built_shop() -> anyhow::Result<PathBuf> {
    project::make_folders()?;
    let ShopBuild { path, .. } = build(Show::All).await?.context(
        "the shop doesn't compile: see the compiler's messages above. Correct the code, and run the command again",
    )?;
    Ok(path)
}

/// What `work` returns, unless a signal ends the command first. What was started ends with `work`.
///
/// # Errors
/// Those of `work`, or that it was stopped, with the command that does it again.
async fn until_stopped<T>(again: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        result = work => result,
        ended = end_signal() => {
            ended?;
            bail!("stopped before the end. Again: {again}")
        }
    }
}

/// The exit code when there is no verdict. Clap uses it too, for arguments that it doesn't know.
const NOT_JUDGED: u8 = 2;
