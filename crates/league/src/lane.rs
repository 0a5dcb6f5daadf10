//! A lane: a copy of the project with its own shop, in which one variant after the other runs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, ensure};
use flash_sale_lab::guide::copy::own_environment;
use flash_sale_lab::shop::client::Shop;
use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal};
use flash_sale_testbed::port::free_port;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::generate::CHOICE;
use crate::tree::CARGO_FOLDER;

const LAB: &str = "target/debug/lab";
/// Stops the shop of the folder in which it was started, as soon as it is told to end.
const KEEPER: &str = r#"
trap 'trap "" TERM; target/debug/lab down; exit 0' TERM
while :; do sleep 3600 & wait $!; done
"#;
/// Longer than `lab down` may take.
const KEEPER_GRACE: Duration = Duration::from_secs(60);
/// The longest command, `lab check`, says itself after a minute that it can't judge.
const COMMAND_LIMIT: Duration = Duration::from_secs(150);

/// A running shop, whose variant can be changed. It is stopped however this program ends.
pub struct Lane {
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
    port: u16,
    keeper: Guarded,
}

impl Lane {
    /// Starts the shop of this copy, with this variant.
    ///
    /// # Errors
    /// When it doesn't start.
    pub async fn open(folder: PathBuf, variant: &str) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut environment = own_environment();
        environment.push(("PORT".into(), port.to_string().into()));
        environment.push(("DASHBOARD_PORT".into(), "0".into()));
        put_own_cargo_first(&mut environment, &folder)?;
        let keeper = GuardedCommand::new("/bin/sh")
            .args(["-c", KEEPER])
            .directory(&folder)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stop_with(Signal::TERM, KEEPER_GRACE)
            .start(File::create("/dev/null")?)
            .await?;
        let lane = Self { folder, environment, port, keeper };
        lane.choose(variant)?;
        lane.run(&["up", "--built"]).await?;
        Ok(lane)
    }

    /// Lets the replicas be replaced by ones that run this variant.
    ///
    /// # Errors
    /// When they don't start.
    pub async fn change_to(&self, variant: &str) -> anyhow::Result<()> {
        self.choose(variant)?;
        self.run(&["restart", "--built"]).await?;
        Ok(())
    }

    /// Runs a command of the lab, and returns what it prints.
    ///
    /// # Errors
    /// When it fails: the error is what it says.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "lab {}: {}", arguments.join(" "), said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command of the lab that prints a JSON object, whatever its exit code is. A command that can't judge is run
    /// once more, as a person would do.
    ///
    /// # Errors
    /// When it prints none, or one that says that nothing was judged.
    pub async fn judge(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        match self.judge_once(arguments).await {
            Ok(report) => Ok(report),
            Err(_) => self.judge_once(arguments).await,
        }
    }

    async fn judge_once(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.output(arguments).await?;
        let command = || format!("lab {}", arguments.join(" "));
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{}: {}", command(), String::from_utf8_lossy(&output.stderr).trim()))?;
        ensure!(report["error"].is_null(), "{}: {}", command(), report["error"]);
        Ok(report)
    }

    /// A visitor of the shop.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn visitor(&self) -> anyhow::Result<Shop> {
        Shop::at(&format!("http://127.0.0.1:{}", self.port)).await
    }

    /// Stops the shop.
    ///
    /// # Errors
    /// When the end of the shop can't be waited for.
    pub async fn close(self) -> anyhow::Result<()> {
        self.keeper.stop().await?;
        Ok(())
    }

    fn choose(&self, variant: &str) -> anyhow::Result<()> {
        let path = self.folder.join("target/debug").join(CHOICE);
        fs::write(&path, variant).with_context(|| format!("can't write {}", path.display()))
    }

    async fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(self.folder.join(Path::new(LAB)));
        command.args(arguments).current_dir(&self.folder).env_clear().kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = timeout(COMMAND_LIMIT, command.output()).await;
        let said = || format!("lab {}", arguments.join(" "));
        output.with_context(|| format!("{} took too long", said()))?.with_context(said)
    }
}

/// Changes PATH: commands find the copy's own cargo.
fn put_own_cargo_first(environment: &mut [(OsString, OsString)], folder: &Path) -> anyhow::Result<()> {
    let own = folder.join(CARGO_FOLDER);
    for (_, path) in environment.iter_mut().filter(|(name, _)| name == "PATH") {
        let folders = iter::once(own.clone()).chain(std::env::split_paths(path));
        *path = std::env::join_paths(folders).context("a folder's name has a colon")?;
    }
    Ok(())
}
