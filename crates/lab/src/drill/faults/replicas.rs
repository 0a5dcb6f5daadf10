//! Faults of a replica.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::control::messages::{Event, Request};
use crate::control::running;
use crate::control::{ask, not_understood};
use crate::drill::scene::{Scene, Struck};

/// Longer than the lab takes to notice that a replica doesn't come back.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A script that reads its input until the program that started it ends, however that happens. Then it lets the
/// process go on.
const THAW: &str = r#"trap '' HUP INT TERM; read -r _; kill -s CONT "$1""#;

pub(super) async fn kill(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let (name, pid) = victim(scene).await?;
    scene.pulse.excuse(&name);
    kill_process(pid, Signal::KILL).with_context(|| format!("can't kill {name}"))?;
    let struck = Struck::now();
    loop {
        let status = running().await?;
        let replica = status.replicas.iter().find(|replica| replica.name == name);
        let process = replica.and_then(|replica| replica.process.as_ref());
        if process.is_some_and(|process| pid_of(process.pid) != Some(pid)) {
            scene.pulse.expect(&name);
            return Ok(Struck { away: Some(struck.ended.elapsed()), ..struck });
        }
        if struck.ended.elapsed() > COMES_BACK_WITHIN {
            bail!("{name} was not started again in {} s. Look at: make logs", COMES_BACK_WITHIN.as_secs());
        }
        sleep(POLL).await;
    }
}

pub(super) async fn freeze(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let (name, pid) = victim(scene).await?;
    scene.pulse.excuse(&name);
    let frozen = Frozen::freeze(pid).with_context(|| format!("can't freeze {name}"))?;
    sleep(scene.lasts).await;
    drop(frozen);
    scene.pulse.expect(&name);
    Ok(Struck::now())
}

pub(super) async fn restart_again_and_again(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let begun = Instant::now();
    while begun.elapsed() < scene.lasts {
        match ask(&Request::Restart, |_| {}).await? {
            Some(Event::Done) => {}
            Some(Event::Failed(reason) | Event::WithoutDatabase(reason)) => {
                bail!("rolling restart: {reason}")
            }
            other => bail!("rolling restart: {}", not_understood(&other)),
        }
    }
    Ok(Struck::now())
}

async fn victim(scene: &Scene<'_>) -> anyhow::Result<(String, Pid)> {
    let status = running().await?;
    ensure!(!status.replicas.is_empty(), "no replica runs. Look at: make status");
    let replica = &status.replicas[scene.victim % status.replicas.len()];
    let process = replica.process.as_ref().with_context(|| format!("{} doesn't run", replica.name))?;
    Ok((replica.name.clone(), pid_of(process.pid).context("make status names no process")?))
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}

/// A process that stands still as long as this value lives. The process also goes on when this program is killed.
struct Frozen {
    thawing: Child,
}

impl Frozen {
    fn freeze(pid: Pid) -> io::Result<Self> {
        let thawing = Command::new("/bin/sh")
            .args(["-c", THAW, "thaw", &pid.as_raw_nonzero().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for us, not for the script.
            .process_group(0)
            .spawn()?;
        let frozen = Self { thawing };
        kill_process(pid, Signal::STOP)?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.thawing.stdin.take());
        // The wait can't fail: the process is ours.
        let _ = self.thawing.wait();
    }
}
