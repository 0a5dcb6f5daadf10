//! Keeps the replicas running: starts them again when they die, and replaces them one after the other without
//! refusing a connection. Start with [`Supervisor::start`]; one replica's life is in [`replica`].

mod health_watch;
pub mod replica;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use flash_sale_gateway::Gateway;
use flash_sale_testbed::http::answers_ok;
use flash_sale_testbed::program_file::ProgramFile;
use flash_sale_testbed::shop_process::{Readiness, STOP_GRACE, ShopProgram};
use flash_sale_testbed::shop_settings::ShopVariables;
use futures::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::control::messages::{ReplicaStatus, Wanted};
use replica::{Command, Replica};

/// If the end of the replicas takes longer than this, a message says why.
const QUICK_END: Duration = Duration::from_secs(1);

/// The replicas of a lab.
pub struct Supervisor {
    replicas: Vec<Handle>,
    running: tokio::sync::Mutex<RunSettings>,
    turns: [tokio::sync::Mutex<()>; 2],
    stopping: CancellationToken,
}

/// What can be lent. Each kind has one borrower at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lent {
    /// Any variables.
    Variables,
    /// The way to the database: the variable that names the database.
    Line,
}

/// What the replicas run, and with what.
#[derive(Clone)]
struct RunSettings {
    binary: PathBuf,
    own: ShopVariables,
    /// Lent variables win over the replicas' own, as long as somebody needs them.
    lent: [ShopVariables; 2],
}

impl RunSettings {
    fn variables(&self) -> ShopVariables {
        let all = self.own.iter().chain(self.lent.iter().flatten());
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

struct Handle {
    name: String,
    commands: mpsc::UnboundedSender<Command>,
    status: Arc<Mutex<ReplicaStatus>>,
    started: Mutex<Option<oneshot::Receiver<anyhow::Result<Readiness>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    /// Starts `count` replicas, and returns before they are ready. `program_of` tells what the replica with this name
    /// runs.
    pub fn start(
        count: u32,
        program_of: impl Fn(&str) -> ShopProgram,
        variables: ShopVariables,
        gateway: &Arc<Gateway>,
    ) -> Self {
        let stopping = CancellationToken::new();
        let start = |index: u32| {
            let name = replica_name(index);
            let (commands, receiver) = mpsc::unbounded_channel();
            let (report, started) = oneshot::channel();
            let status = Arc::new(Mutex::new(ReplicaStatus::starting(&name)));
            let replica = Replica {
                index: index as usize,
                name: name.clone(),
                program: program_of(&name),
                variables: variables.clone(),
                gateway: Arc::clone(gateway),
                status: Arc::clone(&status),
                commands: receiver,
                stopping: stopping.clone(),
            };
            let task = tokio::spawn(replica.run(report));
            Handle {
                name,
                commands,
                status,
                started: Mutex::new(Some(started)),
                task: Mutex::new(Some(task)),
            }
        };
        let replicas = (0..count).map(start).collect();
        let binary = program_of(&replica_name(0)).binary;
        let running = RunSettings { binary, own: variables, lent: Default::default() };
        Self { replicas, running: running.into(), turns: Default::default(), stopping }
    }

    /// Waits until each replica is ready, or runs without its database, and says which for each one. Returns whether
    /// all are ready.
    ///
    /// # Errors
    /// At the first replica that doesn't start.
    pub async fn wait_until_ready(&self, say: &dyn Fn(String)) -> anyhow::Result<Readiness> {
        let mut all = Readiness::Ready;
        for replica in &self.replicas {
            let started = replica.started.lock().take();
            if let Some(started) = started {
                let name = &replica.name;
                match started.await.with_context(|| format!("{name} was stopped"))?? {
                    Readiness::Ready => say(format!("{name} ready")),
                    Readiness::WithoutDatabase => {
                        say(format!("{name} runs without its database"));
                        all = Readiness::WithoutDatabase;
                    }
                }
            }
        }
        Ok(all)
    }

    /// Replaces each replica by a new process, one after the other. Returns whether all were ready when they took
    /// their turn.
    ///
    /// # Errors
    /// When a new process doesn't start. Then the old process stays, and so do those of the replicas after it.
    pub async fn restart(&self, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<Readiness> {
        let running = self.running.lock().await;
        self.replace_each(&running, say).await
    }

    /// As [`Supervisor::restart`], but the new processes are those that are wanted from now on. What was lent stays
    /// lent.
    ///
    /// # Errors
    /// The same as those of [`Supervisor::restart`].
    pub async fn run(&self, wanted: Wanted, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<Readiness> {
        let Wanted { binary, variables, only_if_changed } = wanted;
        // Locked until the end: two restarts at once come one after the other.
        let mut running = self.running.lock().await;
        if only_if_changed && running.own == variables && self.all_run(&binary) {
            let is_ready = self.are_ready().await;
            return Ok(if is_ready { Readiness::Ready } else { Readiness::WithoutDatabase });
        }
        let new = RunSettings { binary, own: variables, lent: running.lent.clone() };
        let readiness = self.replace_each(&new, say).await?;
        *running = new;
        Ok(readiness)
    }

    /// Whether each replica's process was started from the file that is there now.
    fn all_run(&self, binary: &Path) -> bool {
        let built = ProgramFile::at(binary).ok();
        self.status()
            .into_iter()
            .filter_map(|replica| replica.process)
            .all(|process| process.program == built)
    }

    /// Waits for the turn to [`Supervisor::lend`] this. Others wait until the result is dropped.
    pub async fn loan_turn(&self, what: Lent) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns[what as usize].lock().await
    }

    /// Replaces each replica by a process that has these variables too, until [`Supervisor::take_back`]. A
    /// [`Supervisor::restart`] before that leaves these variables as they are.
    ///
    /// # Errors
    /// The same as those of [`Supervisor::restart`].
    pub async fn lend(&self, what: Lent, lent: ShopVariables) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        running.lent[what as usize] = lent;
        self.replace_each(&running, &|_| {}).await?;
        Ok(())
    }

    /// Replaces each replica by a process without what was lent.
    ///
    /// # Errors
    /// The same as those of [`Supervisor::restart`].
    pub async fn take_back(&self, what: Lent) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        running.lent[what as usize].clear();
        self.replace_each(&running, &|_| {}).await?;
        Ok(())
    }

    async fn replace_each(
        &self,
        running: &RunSettings,
        say: &(dyn Fn(String) + Sync),
    ) -> anyhow::Result<Readiness> {
        let mut all = Readiness::Ready;
        for replica in &self.replicas {
            let (reply, answer) = oneshot::channel();
            let stopped = || format!("{} was stopped", replica.name);
            let replace =
                Command::Replace { binary: running.binary.clone(), variables: running.variables(), reply };
            replica.commands.send(replace).ok().with_context(stopped)?;
            match answer.await.with_context(stopped)?? {
                Readiness::Ready => say(format!("{} replaced", replica.name)),
                Readiness::WithoutDatabase => {
                    say(format!("{} replaced, and runs without its database", replica.name));
                    all = Readiness::WithoutDatabase;
                }
            }
        }
        Ok(all)
    }

    /// Whether each replica that runs and answers says that it can sell.
    pub async fn are_ready(&self) -> bool {
        let running = self.status().into_iter().filter_map(|replica| replica.process);
        let asked = running.filter(|process| process.answers).map(|process| is_ready(process.port));
        join_all(asked).await.into_iter().all(|is_ready| is_ready)
    }

    /// The status of each replica.
    pub fn status(&self) -> Vec<ReplicaStatus> {
        let copy = |replica: &Handle| replica.status.lock().clone();
        self.replicas.iter().map(copy).collect()
    }

    /// Stops all replicas at once. Each one still answers what it has accepted. Returns when all have ended, and names
    /// those that take their time.
    pub async fn stop(&self, say: &dyn Fn(String)) {
        self.stopping.cancel();
        let take = |replica: &Handle| replica.task.lock().take();
        let mut all_ended = join_all(self.replicas.iter().filter_map(take));
        if timeout(QUICK_END, &mut all_ended).await.is_ok() {
            return;
        }
        for replica in self.status().iter().filter(|replica| replica.process.is_some()) {
            let (name, limit) = (&replica.name, STOP_GRACE.as_secs());
            say(format!("waiting for {name} to answer what it has accepted; it is killed after {limit} s"));
        }
        all_ended.await;
    }
}

/// The name of the replica with this index.
pub fn replica_name(index: u32) -> String {
    format!("replica-{}", index + 1)
}

async fn is_ready(port: u16) -> bool {
    answers_ok(&format!("http://127.0.0.1:{port}/ready")).await
}
