//! Runs `lab check`, `lab race` and `lab slow-motion` for the dashboard, as a person would in a terminal. They end with
//! the lab, and take everything back before they end. An exploration runs in the lab's own process.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use flash_sale_core::environment;
use flash_sale_dashboard::engine_messages::EngineMessage;
use flash_sale_dashboard::{Engine, Heard, Order, RaceOrder, StartedRun, StrategyChoice};
use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal};
use flash_sale_testbed::reason::told;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::own_exploration;
use super::own_stage::OwnStage;
use crate::shop::client::Shop;
use crate::shop::contestant::{self, EXERCISE};

/// How long a check or a race may take to put everything in order: its own limits are shorter.
const GRACE: Duration = Duration::from_secs(20);
/// The list of strategies must come in this time.
const LIST_LIMIT: Duration = Duration::from_secs(2);
/// Messages that the page has not read yet.
const UNREAD: usize = 64;

/// Runs the lab's own program.
pub struct OwnCommands {
    /// Found when the lab starts: a build puts a new file in the place of the old one, and then nobody knows the name.
    program: PathBuf,
    /// Where the shop is.
    shop_url: String,
    stopping: CancellationToken,
    /// Where explorations run.
    stage: OwnStage,
    /// Locked while a command or an exploration runs.
    running: Arc<Mutex<()>>,
}

impl OwnCommands {
    /// Commands for the shop at this URL, and explorations on this stage.
    ///
    /// # Errors
    /// When the system doesn't know this program's file.
    pub fn find(shop_url: String, stage: OwnStage) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program can't find its own file")?;
        let (stopping, running) = (CancellationToken::new(), Arc::default());
        Ok(Self { program, shop_url, stopping, stage, running })
    }

    /// Stops what runs, and waits until it has taken everything back. Nothing can be started any more.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let _ = timeout(GRACE, self.running.lock()).await;
        let _ = timeout(GRACE, self.stage.close()).await;
    }

    async fn start(&self, order: Order) -> anyhow::Result<StartedRun> {
        let turn = Arc::clone(&self.running).try_lock_owned().context("another one is running")?;
        anyhow::ensure!(!self.stopping.is_cancelled(), "the shop is being stopped");
        let (sender, heard) = mpsc::channel(UNREAD);
        let (stop, stopped) = oneshot::channel();
        let stopping = self.stopping.clone();
        let to_be_stopped = async move {
            tokio::select! {
                Ok(()) = stopped => {}
                () = stopping.cancelled() => {}
            }
        };
        if let Order::Explore(order) = order {
            let stage = self.stage.clone();
            tokio::spawn(async move {
                let _turn = turn;
                tokio::select! {
                    () = own_exploration::run(&stage, &order, &sender) => {}
                    () = to_be_stopped => {}
                }
            });
            return Ok(StartedRun { heard, stop });
        }
        let (reader, writer) = std::io::pipe()?;
        // TERM, and not INT: a program that a shell starts in the background ignores INT until it listens itself, and
        // a check that still builds does not listen yet.
        let command = GuardedCommand::new(&self.program)
            .args(arguments(&order))
            .envs(environment::all())
            .stop_with(Signal::TERM, GRACE);
        let child = command.start(File::from(OwnedFd::from(writer))).await?;
        let lines = BufReader::new(Receiver::from_owned_fd(reader.into())?).lines();
        tokio::spawn(async move {
            let _turn = turn;
            listen(child, lines, sender, to_be_stopped).await;
        });
        Ok(StartedRun { heard, stop })
    }

    async fn list(&self) -> anyhow::Result<Vec<StrategyChoice>> {
        let strategies = contestant::strategies(&Shop::at(&self.shop_url).await?).await?;
        let exercise = StrategyChoice {
            name: EXERCISE.to_owned(),
            description: "what the shop does when a purchase names no strategy".to_owned(),
        };
        let choice = |it: contestant::Strategy| StrategyChoice { name: it.name, description: it.description };
        Ok(std::iter::once(exercise).chain(strategies.into_iter().map(choice)).collect())
    }
}

impl Engine for OwnCommands {
    fn start(&self, order: Order) -> BoxFuture<'_, Result<StartedRun, String>> {
        async { self.start(order).await.map_err(|error| told(&error)) }.boxed()
    }

    fn strategies(&self) -> BoxFuture<'_, Result<Vec<StrategyChoice>, String>> {
        async {
            match timeout(LIST_LIMIT, self.list()).await {
                Ok(listed) => listed.map_err(|error| told(&error)),
                Err(_) => Err(format!("the shop gave no answer in {} s", LIST_LIMIT.as_secs())),
            }
        }
        .boxed()
    }
}

fn arguments(order: &Order) -> Vec<String> {
    match order {
        Order::Check => vec!["check".to_owned(), "--events".to_owned()],
        Order::Explore(_) => Vec::new(),
        Order::SlowMotion => vec!["slow-motion".to_owned()],
        Order::Race(RaceOrder { strategies, copies, buyers, rounds, window_ms }) => vec![
            "race".to_owned(),
            "--events".to_owned(),
            format!("--strategy={}", strategies.join(",")),
            format!("--stock={copies}"),
            format!("--buyers={buyers}"),
            format!("--rounds={rounds}"),
            format!("--window={window_ms}"),
        ],
    }
}

/// Passes on what the command tells, until it has ended.
async fn listen(
    mut child: Guarded,
    mut lines: Lines<BufReader<Receiver>>,
    sender: mpsc::Sender<Heard>,
    to_be_stopped: impl Future<Output = ()>,
) {
    tokio::pin!(to_be_stopped);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    // Nobody may look any more. The command goes on all the same.
                    let _ = sender.send(heard(line)).await;
                }
                _ => break,
            },
            () = &mut to_be_stopped, if !is_stopped => {
                is_stopped = true;
                if let Err(error) = child.signal(Signal::TERM) {
                    log::warn!("the command can't be stopped: {error}");
                }
            }
        }
    }
    if let Err(error) = child.wait().await {
        log::warn!("the end of the command is not known: {error}");
    }
}

fn heard(line: String) -> Heard {
    match serde_json::from_str::<EngineMessage>(&line) {
        Ok(message) => Heard::Message(Box::new(message)),
        Err(_) => Heard::Line(line),
    }
}
