//! `lab watch`: after each save, the verdict.

use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use anstyle::{AnsiColor, Style};

use crate::check::one_click::{self, OneClick};
use crate::hint;
use crate::project::STATE;
use crate::signals::end_signal;
use crate::watch::changes::{Changes, Save, WATCHED};
use crate::watch::cycle::{Cycle, End};
use crate::watch::keys::{Key, Keys};
use crate::watch::program;

/// Builds, replaces the replicas and clicks, now and after each save, until it is told to end. The shop stays
/// open.
///
/// # Errors
/// When files can't be watched, or the shop doesn't start the first time.
pub async fn watch() -> anyhow::Result<()> {
    let mut watch = Watch { cycle: Cycle::new()?, changes: Changes::watch(".".as_ref())? };
    let mut keys = Keys::listen()?;
    println!("Watching {}. Each save is built and judged.\n", WATCHED.join(", "));
    let result = tokio::select! {
        result = watch.run(&mut keys) => result,
        ended = end_signal() => ended.map_err(Into::into),
    };
    drop(keys);
    println!("\nThe watch has ended. The shop, if it was open, still is. Close it: make stop");
    result
}

struct Watch {
    cycle: Cycle,
    changes: Changes,
}

/// What is done, one after the other.
enum Task {
    Judge(Instant),
    Check,
    Reset,
}

impl Watch {
    async fn run(&mut self, keys: &mut Keys) -> anyhow::Result<()> {
        let mut next = Some(Task::Judge(Instant::now()));
        let mut is_first = true;
        loop {
            let task = match next.take() {
                Some(task) => task,
                None => tokio::select! {
                    save = self.changes.next() => {
                        print_save(&save);
                        Task::Judge(save.at)
                    }
                    asked = asked_for(keys) => match asked? {
                        Some(task) => task,
                        None => return Ok(()),
                    },
                },
            };
            let mut doing = pin!(self.execute(task));
            let done = loop {
                tokio::select! {
                    done = &mut doing => break done,
                    asked = asked_for(keys) => match asked? {
                        // One is remembered: nobody wants what was asked for five times five times.
                        Some(task) => next = Some(task),
                        None => return Ok(()),
                    },
                }
            };
            match done {
                Err(error) if std::mem::take(&mut is_first) => return Err(error),
                Err(error) => eprintln!("error: {error:#}"),
                Ok(()) => is_first = false,
            }
            print_keys(keys);
        }
    }

    async fn execute(&mut self, task: Task) -> anyhow::Result<()> {
        match task {
            Task::Judge(began) => self.judge(began).await,
            Task::Check => program::run(self.cycle.lab(), &["check"]).await.map(|_| ()),
            Task::Reset => {
                self.cycle.reset().await?;
                println!("One copy, no orders.");
                Ok(())
            }
        }
    }

    async fn judge(&mut self, mut began: Instant) -> anyhow::Result<()> {
        loop {
            match self.cycle.run(&mut self.changes, began).await? {
                End::Judged(rounds) => print_verdict(&rounds),
                End::NotBuilt => {
                    print_in(YELLOW, "NOT BUILT. The shop, if it is open, sells as before.");
                }
                End::Overtaken => {
                    let save = self.changes.next().await;
                    print_save(&save);
                    began = save.at;
                    continue;
                }
            }
            return Ok(());
        }
    }
}

/// Waits for a key that asks for something that takes its time; answers the others. `None`: to end.
async fn asked_for(keys: &mut Keys) -> anyhow::Result<Option<Task>> {
    loop {
        match keys.next().await {
            Key::Hint => println!("{}\n", hint::next(Path::new(STATE))?),
            Key::Check => return Ok(Some(Task::Check)),
            Key::Reset => return Ok(Some(Task::Reset)),
            Key::Quit => return Ok(None),
        }
    }
}

fn print_save(save: &Save) {
    let mut files = save.files.iter();
    match files.next() {
        Some(file) if files.len() == 0 => println!("saved {}", file.display()),
        Some(file) => println!("saved {} and {} more", file.display(), files.len()),
        None => println!("saved"),
    }
    if save.files.iter().any(|file| file.starts_with("migration")) {
        println!("The schema changes when the shop opens: make stop, make run");
    }
}

fn print_verdict(played: &OneClick) {
    let (oversold, right, wanted) = (played.oversold(), played.right(), played.wanted);
    if oversold > 0 {
        print_in(RED, &format!("OVERSOLD in {oversold} of {wanted} rounds of one click"));
    } else if played.is_right() {
        print_in(GREEN, &format!("RIGHT in {right} of {wanted} rounds of one click: one order, stock 0"));
        println!("Whether it is a fix, the whole check knows: make check (here: c)");
    } else {
        print_in(YELLOW, &format!("RIGHT in only {right} of {wanted} rounds of one click"));
        println!("{}. See why: make logs", one_click::judge(played).seen);
    }
}

fn print_keys(keys: &Keys) {
    if keys.are_there() {
        println!("\nh hint · c whole check · r reset · q quit · or save a file\n");
    } else {
        println!();
    }
}

const RED: AnsiColor = AnsiColor::Red;
const GREEN: AnsiColor = AnsiColor::Green;
const YELLOW: AnsiColor = AnsiColor::Yellow;

fn print_in(color: AnsiColor, line: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    anstream::println!("\n{style}{line}{style:#}");
}
