//! The life of one replica, which outlives its processes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flash_sale_gateway::Gateway;
use flash_sale_testbed::reason::told;
use flash_sale_testbed::shop_process::{Readiness, ShopProcess, ShopProgram, start};
use flash_sale_testbed::shop_settings::ShopVariables;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::health_watch::HealthWatch;
use crate::control::messages::{ProcessStatus, ReplicaStatus};

const FIRST_BACK_OFF: Duration = Duration::from_millis(200);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
/// A process that lived this long is replaced at once. There is a pause only for a process that dies again and again as
/// soon as it is ready: its starts would keep the machine busy.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// The kernel accepts connections for a process before the process does. In this time the process takes them over, so
/// that none is lost when it stops listening.
const TAKE_OVER: Duration = Duration::from_millis(100);

/// A process that has its turn.
struct RunningProcess {
    process: ShopProcess,
    /// Whether it was ready when it took its turn.
    readiness: Readiness,
    health: HealthWatch,
}

/// What a replica can be told.
pub(super) enum Command {
    /// Replace the process by one of this program, with these variables.
    Replace { binary: PathBuf, variables: ShopVariables, reply: oneshot::Sender<anyhow::Result<Readiness>> },
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
    /// Runs until the replica is stopped, or until its first process fails to start. `report` gets the outcome of that
    /// first start.
    pub(super) async fn run(mut self, report: oneshot::Sender<anyhow::Result<Readiness>>) {
        let mut running = match self.start(&self.program.binary, &self.variables).await {
            Ok(running) => running,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        self.take_turn(&running);
        let _ = report.send(Ok(running.readiness));

        let stopping = self.stopping.clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(Command::Replace { binary, variables, reply }) = self.commands.recv() => {
                    let replaced = self.replace(&mut running, binary, variables).await;
                    let _ = reply.send(replaced);
                }
                answers = running.health.changed() => self.note_health(answers),
                ended = running.process.wait() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    log::warn!("{} died ({how})", self.name);
                    self.gateway.set_replica(self.index, None);
                    self.status.lock().process = None;
                    let is_settled = running.process.started.elapsed() > SETTLED_AFTER;
                    match self.revive(if is_settled { Duration::ZERO } else { FIRST_BACK_OFF }).await {
                        Some(new) => running = new,
                        None => return,
                    }
                }
            }
        }
        running.process.stop().await;
        self.status.lock().process = None;
    }

    /// Tries until a new process is ready; `None` when the replica is stopped meanwhile.
    async fn revive(&mut self, mut back_off: Duration) -> Option<RunningProcess> {
        let stopping = self.stopping.clone();
        let mut next_attempt = Instant::now() + back_off;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return None,
                Some(Command::Replace { binary, variables, reply }) = self.commands.recv() => {
                    match self.start(&binary, &variables).await {
                        Ok(running) => {
                            (self.program.binary, self.variables) = (binary, variables);
                            self.take_turn(&running);
                            let _ = reply.send(Ok(running.readiness));
                            return Some(running);
                        }
                        Err(error) => { let _ = reply.send(Err(error)); }
                    }
                }
                () = sleep_until(next_attempt) => {
                    self.status.lock().restarts += 1;
                    match self.start(&self.program.binary, &self.variables).await {
                        Ok(running) => {
                            log::info!("{} runs again as process {}", self.name, running.process.pid());
                            self.take_turn(&running);
                            return Some(running);
                        }
                        Err(error) => {
                            back_off = (back_off * 2).clamp(FIRST_BACK_OFF, LONGEST_BACK_OFF);
                            let (name, why) = (&self.name, told(&error));
                            log::error!("{why}\n{name}: next attempt in {back_off:?}");
                            next_attempt = Instant::now() + back_off;
                        }
                    }
                }
            }
        }
    }

    async fn replace(
        &mut self,
        running: &mut RunningProcess,
        binary: PathBuf,
        variables: ShopVariables,
    ) -> anyhow::Result<Readiness> {
        let new = self.start(&binary, &variables).await?;
        (self.program.binary, self.variables) = (binary, variables);
        self.take_turn(&new);
        // The old process is no longer watched: it has no turn any more.
        let old = std::mem::replace(running, new).process;
        sleep(TAKE_OVER).await;
        old.stop().await;
        Ok(running.readiness)
    }

    async fn start(&self, binary: &Path, variables: &ShopVariables) -> anyhow::Result<RunningProcess> {
        let program = ShopProgram { binary: binary.to_owned(), ..self.program.clone() };
        let (process, readiness) = start(&program, &self.name, variables, &self.stopping).await?;
        let health = HealthWatch::start(process.address);
        Ok(RunningProcess { process, readiness, health })
    }

    fn take_turn(&self, running: &RunningProcess) {
        let process = &running.process;
        self.gateway.set_replica(self.index, Some(process.address));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at = now.saturating_sub(process.started.elapsed()).as_secs();
        let port = process.address.port();
        self.status.lock().process = Some(ProcessStatus {
            pid: process.pid(),
            port,
            started_at,
            program: process.program,
            answers: true,
        });
    }

    /// The gateway passes over a frozen process. The process is not killed, because somebody may be looking at it.
    fn note_health(&self, answers: bool) {
        self.gateway.set_frozen(self.index, !answers);
        let name = &self.name;
        if answers {
            log::info!("{name} answers again, and gets connections again");
        } else {
            log::warn!("{name} runs, but does not answer. It gets no new connections until it answers");
        }
        if let Some(process) = &mut self.status.lock().process {
            process.answers = answers;
        }
    }
}
