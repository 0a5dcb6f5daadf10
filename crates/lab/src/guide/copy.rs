//! A copy of the project, to try the walkthrough in. The copy lives as long as this program. However this program
//! ends, kill -9 included, the shop of the copy is stopped and its folder is removed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, ensure};
use flash_sale_core::environment;
use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal};
use flash_sale_testbed::own_files::open_to_append;
use flash_sale_testbed::port::free_port;
use flash_sale_testbed::shop_settings::OF_ONE_SHOP;

use super::artifacts;
use crate::console;

/// A script that waits until it is told to end. Then it takes down what runs in the folder in which it was started.
/// It prints a line when it can be told.
const CLEANER: &str = r#"
trap 'trap "" TERM; [ ! -x .flash-sale/lab ] || .flash-sale/lab clean; exit 0' TERM
echo ready
exec > /dev/null 2>&1
while :; do sleep 3600 & wait $!; done
"#;
/// Longer than `lab clean` may take.
const CLEANER_GRACE: Duration = Duration::from_secs(90);

/// Variables that the copy doesn't get, besides the settings: the copy's make is no part of ours.
const LEFT_OUT: [&str; 4] = ["MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"];

/// Variables that git sets for the programs that it starts, for example hooks. They say which repository the program
/// is in.
pub const OF_ANOTHER_REPOSITORY: [&str; 6] =
    ["GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_WORK_TREE"];

/// A copy of the project.
pub struct Copy {
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
    cleaner: Guarded,
}

/// How a command in the copy ended, and all that it printed.
pub struct CommandOutcome {
    /// Its exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// Its output and its errors.
    pub output: String,
}

impl Copy {
    /// Makes a copy of the project in whose folder this program works.
    ///
    /// # Errors
    /// When this program is not where cargo has put it, and as [`Copy::make`].
    pub async fn of_this_project() -> anyhow::Result<Self> {
        Self::make(Path::new("."), &own_target()?).await
    }

    /// Makes a copy of the project at `root`: the files that git knows or would add, as they are in the working tree.
    /// The copy stands in `target`, and gets the builds of the dependencies from there. So it is on the same disk,
    /// and git ignores it.
    ///
    /// # Errors
    /// When git doesn't answer, or something can't be copied.
    pub async fn make(root: &Path, target: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("test-guide-").tempdir_in(target);
        let folder = folder.with_context(|| format!("can't make a folder in {}", target.display()))?.keep();
        let mut environment = own_environment();
        for name in ["PORT", "DASHBOARD_PORT"] {
            environment.push((name.into(), free_port()?.to_string().into()));
        }
        // Cargo must not build into the project's own folder, even if it was told so there.
        environment.push(("CARGO_TARGET_DIR".into(), folder.join("target").into()));
        let (mut said, to_say) = io::pipe()?;
        let cleaner = GuardedCommand::new("/bin/sh")
            .args(["-c", CLEANER])
            .directory(&folder)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stop_with(Signal::TERM, CLEANER_GRACE)
            .remove_afterwards(&folder)
            .start(File::from(OwnedFd::from(to_say)))
            .await?;
        let copy = Self { folder, environment, cleaner };

        let (from, to, target) = (root.to_owned(), copy.folder.clone(), target.to_owned());
        let fill = move || {
            said.read_exact(&mut [0]).context("the process that is to clean up can't be told to")?;
            copy_sources(&from, &to)?;
            artifacts::copy(&target.join("debug"), &to.join("target/debug")).context("can't copy the builds")
        };
        match tokio::task::spawn_blocking(fill).await? {
            Ok(()) => Ok(copy),
            Err(error) => {
                copy.remove().await?;
                Err(error)
            }
        }
    }

    /// The folder of the copy.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command of the shell in the copy, and returns what the command prints.
    ///
    /// # Errors
    /// When it can't be started, or its output can't be kept.
    pub async fn run(&self, command: &str) -> anyhow::Result<CommandOutcome> {
        let path = self.folder.join("target/test-guide.log");
        fs::write(&path, "")?;
        let status = self.start(command, open_to_append(&path)?).await?;
        let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        Ok(CommandOutcome { status, output })
    }

    /// Runs a command of the shell in the copy. The command prints to our own output.
    ///
    /// # Errors
    /// When it can't be started.
    pub async fn show(&self, command: &str) -> anyhow::Result<ExitStatus> {
        self.start(command, File::from(io::stdout().as_fd().try_clone_to_owned()?)).await
    }

    /// A program of the copy, ready to be started there.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(self.folder.join(program));
        command.args(arguments).current_dir(&self.folder).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn start(&self, command: &str, output: File) -> anyhow::Result<ExitStatus> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let command =
            GuardedCommand::new("/bin/sh").args(["-c", command]).directory(&self.folder).envs(environment);
        Ok(command.start(output).await?.wait().await?)
    }

    /// Stops what runs in the copy, and removes the copy.
    ///
    /// # Errors
    /// When the end of the cleaner can't be waited for.
    pub async fn remove(self) -> anyhow::Result<()> {
        if io::stdout().is_terminal() {
            console::line("removing the copy");
        }
        self.cleaner.stop().await?;
        Ok(())
    }
}

/// Cargo's folder, in which this program is.
///
/// # Errors
/// When this program is not where cargo has put it.
pub fn own_target() -> anyhow::Result<PathBuf> {
    // The file itself, and not the link that make has started.
    let own = std::env::current_exe().and_then(fs::canonicalize);
    let own = own.context("this program can't find its own file")?;
    Ok(own.ancestors().nth(2).context("this program is not in cargo's folder")?.to_owned())
}

/// The variables of this program that a copy may have, too: no settings of a shop, and nothing of this make or repository.
pub fn own_environment() -> Vec<(OsString, OsString)> {
    let left_out = || OF_ONE_SHOP.iter().chain(&LEFT_OUT).chain(&OF_ANOTHER_REPOSITORY);
    let is_kept = |name: &OsString| !left_out().any(|left_out| name == left_out);
    environment::all().into_iter().filter(|(name, _)| is_kept(name)).collect()
}

/// The files of the project at `root` that git knows or would add, and that are there.
///
/// # Errors
/// When git doesn't answer.
pub fn sources(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut list = Command::new("git");
    for name in OF_ANOTHER_REPOSITORY {
        list.env_remove(name);
    }
    let list = list
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("can't run git, which knows the project's files")?;
    ensure!(list.status.success(), "git: {}", String::from_utf8_lossy(&list.stderr).trim());
    let list = String::from_utf8(list.stdout).context("a file's name is not UTF-8")?;
    // git still knows a file that was removed since the last commit.
    let names = list.split_terminator('\0').filter(|name| root.join(name).is_file());
    Ok(names.map(str::to_owned).collect())
}

fn copy_sources(root: &Path, copy: &Path) -> anyhow::Result<()> {
    for name in sources(root)? {
        let (from, to) = (root.join(&name), copy.join(&name));
        fs::create_dir_all(to.parent().unwrap_or(copy))?;
        fs::copy(&from, &to).with_context(|| format!("can't copy {name}"))?;
    }
    Ok(())
}
