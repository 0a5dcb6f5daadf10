//! Keeps the replicas running: starts them again when they die, and replaces them one after the other without
//! refusing a connection. Start with [`Supervisor::start`]; one replica's life is in [`replica`].

mod health_watch;
pub mod replica;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::settings::ShopVariables;
use crate::shop_process::{STOP_GRACE, ShopProgram};
use replica::{Command, Replica, ReplicaStatus};

/// An end that takes longer is explained.
const QUICK_END: Duration = Duration::from_secs(1);

/// The replicas of a lab.
pub struct Supervisor {
    replicas: Vec<Handle>,
    variables: tokio::sync::Mutex<Variables>,
    loan: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
}

/// What the replicas run with.
#[derive(Clone)]
struct Variables {
    own: ShopVariables,
    /// These win, as long as somebody needs them.
    lent: ShopVariables,
}

impl Variables {
    fn together(&self) -> ShopVariables {
        self.own.iter().chain(&self.lent).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

struct Handle {
    name: String,
    commands: mpsc::UnboundedSender<Command>,
    status: Arc<Mutex<ReplicaStatus>>,
    started: Mutex<Option<oneshot::Receiver<anyhow::Result<()>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    /// Starts `count` replicas, and returns before they are ready.
    pub fn start(
        count: u32,
        program: &ShopProgram,
        variables: ShopVariables,
        gateway: &Arc<Gateway>,
    ) -> Self {
        let stopping = CancellationToken::new();
        let start = |index: u32| {
            let name = format!("replica-{}", index + 1);
            let (commands, receiver) = mpsc::unbounded_channel();
            let (report, started) = oneshot::channel();
            let status = Arc::new(Mutex::new(ReplicaStatus::starting(&name)));
            let replica = Replica {
                index: index as usize,
                name: name.clone(),
                program: program.clone(),
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
        let variables = Variables { own: variables, lent: ShopVariables::new() };
        Self { replicas, variables: variables.into(), loan: ().into(), stopping }
    }

    /// Waits until all are ready, and says each that is.
    ///
    /// # Errors
    /// At the first that doesn't start.
    pub async fn wait_until_ready(&self, say: &dyn Fn(String)) -> anyhow::Result<()> {
        for replica in &self.replicas {
            let started = replica.started.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(started) = started {
                started.await.with_context(|| format!("{} was stopped", replica.name))??;
                say(format!("{} ready", replica.name));
            }
        }
        Ok(())
    }

    /// Replaces each replica by a new process of the same binary, one after the other. `changed` variables
    /// replace those of the same name.
    ///
    /// # Errors
    /// When a new process doesn't start; the old one then stays, as do those after it.
    pub async fn restart(&self, changed: ShopVariables, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<()> {
        // Locked until the end: two restarts at once come one after the other.
        let mut variables = self.variables.lock().await;
        let mut new = variables.clone();
        new.own.extend(changed);
        self.replace_each(&new, say).await?;
        *variables = new;
        Ok(())
    }

    /// Whoever holds it may [`Supervisor::lend`]; others wait.
    pub async fn loan_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.loan.lock().await
    }

    /// Replaces each replica by a process that has these variables too, until [`Supervisor::take_back`]. A
    /// [`Supervisor::restart`] between the two changes nothing about them.
    ///
    /// # Errors
    /// As [`Supervisor::restart`].
    pub async fn lend(&self, lent: ShopVariables) -> anyhow::Result<()> {
        let mut variables = self.variables.lock().await;
        variables.lent = lent;
        self.replace_each(&variables, &|_| {}).await
    }

    /// Replaces each replica by a process without what was lent.
    ///
    /// # Errors
    /// As [`Supervisor::restart`].
    pub async fn take_back(&self) -> anyhow::Result<()> {
        let mut variables = self.variables.lock().await;
        variables.lent.clear();
        self.replace_each(&variables, &|_| {}).await
    }

    async fn replace_each(&self, variables: &Variables, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<()> {
        for replica in &self.replicas {
            let (reply, answer) = oneshot::channel();
            let stopped = || format!("{} was stopped", replica.name);
            replica
                .commands
                .send(Command::Replace(variables.together(), reply))
                .ok()
                .with_context(stopped)?;
            answer.await.with_context(stopped)??;
            say(format!("{} replaced", replica.name));
        }
        Ok(())
    }

    /// How each is.
    pub fn status(&self) -> Vec<ReplicaStatus> {
        let copy = |replica: &Handle| replica.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.replicas.iter().map(copy).collect()
    }

    /// Stops all of them at once: what they have accepted is answered. Returns when they have ended, and says which
    /// take their time.
    pub async fn stop(&self, say: &dyn Fn(String)) {
        self.stopping.cancel();
        let take = |replica: &Handle| replica.task.lock().unwrap_or_else(PoisonError::into_inner).take();
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
