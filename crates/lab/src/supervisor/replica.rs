//! The life of one replica, which outlives its processes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::settings::ShopVariables;
use crate::shop_process::{ShopProcess, ShopProgram, start};

const FIRST_BACK_OFF: Duration = Duration::from_millis(200);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
/// A process that lived this long died of something new.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// The kernel accepts connections for a process before the process does. In this time it takes them over, so
/// that none is lost when it stops listening.
const TAKE_OVER: Duration = Duration::from_millis(100);

/// What `lab status` says of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// replica-1 and so on.
    pub name: String,
    /// Its process; `None` when it has none just now.
    pub process: Option<ProcessStatus>,
    /// How many times it was started again because it had died.
    pub restarts: u32,
}

/// A replica's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub port: u16,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
}

impl ReplicaStatus {
    pub(super) fn starting(name: &str) -> Self {
        Self { name: name.to_owned(), process: None, restarts: 0 }
    }
}

/// What a replica can be told.
pub(super) enum Command {
    /// Replace the process by one with these variables.
    Replace(ShopVariables, oneshot::Sender<anyhow::Result<()>>),
}

pub(super) struct Replica {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) program: ShopProgram,
    pub(super) variables: ShopVariables,
    pub(super) gateway: Arc<Gateway>,
    pub(super) status: Arc<Mutex<ReplicaStatus>>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) stopping: CancellationToken,
}

impl Replica {
    /// Lives until it is stopped, or until its first process didn't start; `report` hears of that one.
    pub(super) async fn run(mut self, report: oneshot::Sender<anyhow::Result<()>>) {
        let mut process = match self.start(&self.variables).await {
            Ok(process) => process,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        self.take_turn(&process);
        let _ = report.send(Ok(()));

        let stopping = self.stopping.clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(Command::Replace(variables, reply)) = self.commands.recv() => {
                    let replaced = self.replace(&mut process, variables).await;
                    let _ = reply.send(replaced);
                }
                ended = process.wait() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    log::warn!("{} died ({how})", self.name);
                    self.gateway.set_replica(self.index, None);
                    self.status().process = None;
                    let stable = process.started.elapsed() > STABLE_AFTER;
                    match self.revive(if stable { Duration::ZERO } else { FIRST_BACK_OFF }).await {
                        Some(new) => process = new,
                        None => return,
                    }
                }
            }
        }
        process.stop().await;
    }

    /// Tries until a new process is ready; `None` when the replica is stopped meanwhile.
    async fn revive(&mut self, mut back_off: Duration) -> Option<ShopProcess> {
        let stopping = self.stopping.clone();
        let mut next_attempt = Instant::now() + back_off;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return None,
                Some(Command::Replace(variables, reply)) = self.commands.recv() => {
                    match self.start(&variables).await {
                        Ok(process) => {
                            self.variables = variables;
                            self.take_turn(&process);
                            let _ = reply.send(Ok(()));
                            return Some(process);
                        }
                        Err(error) => { let _ = reply.send(Err(error)); }
                    }
                }
                () = sleep_until(next_attempt) => {
                    self.status().restarts += 1;
                    match self.start(&self.variables).await {
                        Ok(process) => {
                            log::info!("{} runs again as process {}", self.name, process.pid());
                            self.take_turn(&process);
                            return Some(process);
                        }
                        Err(error) => {
                            back_off = (back_off * 2).clamp(FIRST_BACK_OFF, LONGEST_BACK_OFF);
                            log::error!("{error:#}\n{}: next attempt in {back_off:?}", self.name);
                            next_attempt = Instant::now() + back_off;
                        }
                    }
                }
            }
        }
    }

    async fn replace(&mut self, process: &mut ShopProcess, variables: ShopVariables) -> anyhow::Result<()> {
        let new = self.start(&variables).await?;
        self.variables = variables;
        self.take_turn(&new);
        let old = std::mem::replace(process, new);
        sleep(TAKE_OVER).await;
        old.stop().await;
        Ok(())
    }

    async fn start(&self, variables: &ShopVariables) -> anyhow::Result<ShopProcess> {
        start(&self.program, &self.name, variables, &self.stopping).await
    }

    fn take_turn(&self, process: &ShopProcess) {
        self.gateway.set_replica(self.index, Some(process.address));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at = now.saturating_sub(process.started.elapsed()).as_secs();
        self.status().process =
            Some(ProcessStatus { pid: process.pid(), port: process.address.port(), started_at });
    }

    fn status(&self) -> std::sync::MutexGuard<'_, ReplicaStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
