//! The life of one replica, which outlives its processes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::health_watch::HealthWatch;
use crate::gateway::Gateway;
use crate::settings::ShopVariables;
use crate::shop_process::{ShopProcess, ShopProgram, start};

const FIRST_BACK_OFF: Duration = Duration::from_millis(200);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
/// A process that lived this long is replaced at once. Pausing is for one that dies again and again as soon as it
/// is ready, and would keep the machine busy with its starts.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
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
    /// False when it lives and doesn't answer: it is frozen, and left out of the gateway's turn.
    pub answers: bool,
}

/// A process that has its turn.
struct Running {
    process: ShopProcess,
    health: HealthWatch,
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
        let mut running = match self.start(&self.variables).await {
            Ok(running) => running,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        self.take_turn(&running);
        let _ = report.send(Ok(()));

        let stopping = self.stopping.clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(Command::Replace(variables, reply)) = self.commands.recv() => {
                    let replaced = self.replace(&mut running, variables).await;
                    let _ = reply.send(replaced);
                }
                answers = running.health.changed() => self.note_health(answers),
                ended = running.process.wait() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    log::warn!("{} died ({how})", self.name);
                    self.gateway.set_replica(self.index, None);
                    self.status().process = None;
                    let is_settled = running.process.started.elapsed() > SETTLED_AFTER;
                    match self.revive(if is_settled { Duration::ZERO } else { FIRST_BACK_OFF }).await {
                        Some(new) => running = new,
                        None => return,
                    }
                }
            }
        }
        running.process.stop().await;
        self.status().process = None;
    }

    /// Tries until a new process is ready; `None` when the replica is stopped meanwhile.
    async fn revive(&mut self, mut back_off: Duration) -> Option<Running> {
        let stopping = self.stopping.clone();
        let mut next_attempt = Instant::now() + back_off;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return None,
                Some(Command::Replace(variables, reply)) = self.commands.recv() => {
                    match self.start(&variables).await {
                        Ok(running) => {
                            self.variables = variables;
                            self.take_turn(&running);
                            let _ = reply.send(Ok(()));
                            return Some(running);
                        }
                        Err(error) => { let _ = reply.send(Err(error)); }
                    }
                }
                () = sleep_until(next_attempt) => {
                    self.status().restarts += 1;
                    match self.start(&self.variables).await {
                        Ok(running) => {
                            log::info!("{} runs again as process {}", self.name, running.process.pid());
                            self.take_turn(&running);
                            return Some(running);
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

    async fn replace(&mut self, running: &mut Running, variables: ShopVariables) -> anyhow::Result<()> {
        let new = self.start(&variables).await?;
        self.variables = variables;
        self.take_turn(&new);
        // No longer watched: it has no turn any more.
        let old = std::mem::replace(running, new).process;
        sleep(TAKE_OVER).await;
        old.stop().await;
        Ok(())
    }

    async fn start(&self, variables: &ShopVariables) -> anyhow::Result<Running> {
        let process = start(&self.program, &self.name, variables, &self.stopping).await?;
        let health = HealthWatch::start(process.address)?;
        Ok(Running { process, health })
    }

    fn take_turn(&self, running: &Running) {
        let process = &running.process;
        self.gateway.set_replica(self.index, Some(process.address));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at = now.saturating_sub(process.started.elapsed()).as_secs();
        let port = process.address.port();
        self.status().process = Some(ProcessStatus { pid: process.pid(), port, started_at, answers: true });
    }

    /// A frozen process is passed over, and not killed: somebody may be looking at it.
    fn note_health(&self, answers: bool) {
        self.gateway.set_frozen(self.index, !answers);
        let name = &self.name;
        if answers {
            log::info!("{name} answers again, and has its turn");
        } else {
            log::warn!("{name} lives and does not answer: it is left out of the turn until it does");
        }
        if let Some(process) = &mut self.status().process {
            process.answers = answers;
        }
    }

    fn status(&self) -> std::sync::MutexGuard<'_, ReplicaStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
