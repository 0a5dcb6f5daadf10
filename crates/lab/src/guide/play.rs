//! Plays a transcript as a person would. It types each statement into a real psql at a person's pace, looks whether
//! psql waits when the guide says so, and reads what psql prints. At the end nothing may be left over that would
//! change the next transcript.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::printed;
use super::terminal::{LIMIT, Terminal};
use super::transcript::{MOST_TERMINALS, PlayedEvent, Transcript};

/// A statement that has not answered in this time may be waiting.
const PROMPT: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(5);

/// The sessions that wait for a lock of another session, and whether PostgreSQL has looked for a deadlock since then.
const WAITING: &str = "SELECT pid, coalesce(bool_or(clock_timestamp() - waitstart >
        current_setting('deadlock_timeout')::interval), false)
    FROM pg_locks WHERE NOT granted AND cardinality(pg_blocking_pids(pid)) > 0 GROUP BY pid;";

/// A transcript must leave this as it was: stock, orders, and the products' columns and constraints.
const STATE: &str = "SELECT (SELECT string_agg(concat(title, ' ', quantity), ', ' ORDER BY title) FROM products),
    (SELECT count(*) FROM orders),
    (SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'products'::regclass),
    (SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'products'::regclass);";

/// Settings that were made in the session and not taken back.
const SETTINGS: &str = "SELECT string_agg(name, ' ') FROM pg_settings WHERE source = 'session';";

/// The terminals. They stay open from one transcript to the next, as a person's terminals do.
pub struct Desk {
    terminals: Vec<Terminal>,
    watcher: Terminal,
    pace: Duration,
}

impl Desk {
    /// Opens each terminal with a command that becomes psql. `pace` is the pause before each statement.
    ///
    /// # Errors
    /// When psql can't be started, or has no database.
    pub async fn open(psql: impl Fn() -> Command, pace: Duration) -> anyhow::Result<Self> {
        let mut terminals = Vec::new();
        for _ in 0..MOST_TERMINALS {
            terminals.push(Terminal::open(psql()).await?);
        }
        Ok(Self { terminals, watcher: Terminal::open(psql()).await?, pace })
    }

    /// Plays the transcript, on a shop that is in the transcript's first state.
    ///
    /// # Errors
    /// When psql prints something else than the guide says; when it waits although the guide doesn't say so, or the
    /// other way round; when something is left over.
    pub async fn play(&mut self, transcript: &Transcript) -> anyhow::Result<()> {
        let played = async {
            let before = self.watcher.ask(STATE).await?;
            for event in &transcript.events {
                self.follow(event).await?;
            }
            self.expect_nothing_left(&before).await
        };
        played.await.with_context(|| format!("the transcript in line {}", transcript.line))
    }

    async fn follow(&mut self, event: &PlayedEvent) -> anyhow::Result<()> {
        match event {
            PlayedEvent::Types(terminal, statement) => {
                self.let_who_wait_wait().await?;
                sleep(self.pace).await;
                self.terminals[*terminal].type_in(statement).await
            }
            PlayedEvent::Waits(terminal) => self.expect_wait(*terminal).await,
            PlayedEvent::Prints(terminal, expected) => {
                let printed = self.read(*terminal).await?;
                ensure!(
                    printed::is_same(expected, &printed),
                    "after {:?} the guide prints\n{expected}\nand psql\n{printed}",
                    self.terminals[*terminal].typed
                );
                Ok(())
            }
        }
    }

    /// The answer of a terminal. The terminal may wait only if the guide has said so.
    async fn read(&mut self, terminal: usize) -> anyhow::Result<String> {
        let begun = Instant::now();
        while !self.terminals[terminal].waits && begun.elapsed() < LIMIT {
            if let Ok(printed) = timeout(PROMPT, self.terminals[terminal].read_answer()).await {
                return printed;
            }
            let is_waiting = self.is_waiting(terminal).await?;
            ensure!(!is_waiting, "{:?} waits, which the guide doesn't say", self.terminals[terminal].typed);
        }
        self.terminals[terminal].read_answer().await
    }

    async fn expect_wait(&mut self, terminal: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.terminals[terminal].waits = true;
        loop {
            if self.is_waiting(terminal).await? {
                return Ok(());
            }
            let terminal = &mut self.terminals[terminal];
            let printed = timeout(POLL, terminal.read_answer()).await;
            if let Ok(printed) = printed {
                bail!("{:?} should wait, but psql prints\n{}", terminal.typed, printed?);
            }
            ensure!(
                begun.elapsed() < LIMIT,
                "{:?} should wait, but no other session blocks it",
                terminal.typed
            );
        }
    }

    /// Waits until PostgreSQL has looked for a deadlock in every session that waits. It looks once, after a wait of
    /// `deadlock_timeout`. A person types more slowly than that, so the session that begins to wait last finds the
    /// deadlock.
    async fn let_who_wait_wait(&mut self) -> anyhow::Result<()> {
        while self.waiting().await?.iter().any(|(_, has_looked)| !has_looked) {
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn is_waiting(&mut self, terminal: usize) -> anyhow::Result<bool> {
        let pid = self.terminals[terminal].pid.clone();
        Ok(self.waiting().await?.iter().any(|(waiting, _)| *waiting == pid))
    }

    /// The process ids of our terminals that wait, and whether PostgreSQL has looked for a deadlock.
    async fn waiting(&mut self) -> anyhow::Result<Vec<(String, bool)>> {
        let rows = self.watcher.ask(WAITING).await?;
        let rows = rows.lines().filter_map(|row| row.split_once('|'));
        let rows = rows.filter(|(pid, _)| self.terminals.iter().any(|terminal| terminal.pid == *pid));
        Ok(rows.map(|(pid, has_looked)| (pid.to_owned(), has_looked == "t")).collect())
    }

    async fn expect_nothing_left(&mut self, before: &str) -> anyhow::Result<()> {
        for (number, terminal) in (1..).zip(&mut self.terminals) {
            let sql = format!("SELECT state FROM pg_stat_activity WHERE pid = {};", terminal.pid);
            let state = self.watcher.ask(&sql).await?;
            ensure!(state == "idle", "at its end, terminal {number} is {state}");
            let settings = terminal.ask(SETTINGS).await?;
            ensure!(settings.is_empty(), "at its end, terminal {number} has set {settings}");
        }
        let after = self.watcher.ask(STATE).await?;
        ensure!(after == before, "it leaves something behind: first {before}, now {after}");
        Ok(())
    }
}
