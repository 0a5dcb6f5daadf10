//! `lab watch`: prints the verdict after each save.

use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use flash_sale_testbed::reason::told;

use crate::build::sources::WATCHED;
use crate::check::one_click::{self, OneClick};
use crate::console;
use crate::hint;
use crate::program;
use crate::project::STATE;
use crate::signals::end_signal;
use crate::watch::changes::{Changes, Save};
use crate::watch::cycle::{Cycle, End};
use crate::watch::keys::{Key, Keys};
use crate::wording::counted;

/// Builds, plays the interleavings, replaces the replicas and clicks, now and after each save. It ends when it is told to, or when nobody reads
/// its output any more. The shop stays open.
///
/// # Errors
/// When files can't be watched, or the shop doesn't start the first time.
pub async fn watch() -> anyhow::Result<()> {
    let (cycle, changes) = (Cycle::new()?, Changes::watch(".".as_ref())?);
    let mut keys = Keys::listen()?;
    let mut watch = Watch { cycle, changes, has_keys: keys.are_there() };
    console::line(format_args!(
        "Watching {}. After each save: build, play two purchases in every order, replace the replicas, click.",
        WATCHED.join(", ")
    ));
    console::line("Each click begins with a reset, which deletes the orders.\n");
    let result = tokio::select! {
        result = watch.run(&mut keys) => result,
        ended = end_signal() => ended.map_err(Into::into),
    };
    drop(keys);
    console::line("\nThe watch has ended. The shop, if it was open, still is. Close it: make stop");
    result
}

struct Watch {
    cycle: Cycle,
    changes: Changes,
    /// Whether there is a keyboard to press keys on.
    has_keys: bool,
}

/// The tasks of a watch, which are done one after the other.
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
                        // Only one task is remembered: a person who presses a key five times doesn't want it done five
                        // times.
                        Some(task) => next = Some(task),
                        None => return Ok(()),
                    },
                }
            };
            match done {
                Err(error) if std::mem::take(&mut is_first) => return Err(error),
                Err(error) => console::error_line(format_args!("error: {}", told(&error))),
                Ok(()) => is_first = false,
            }
            print_keys(keys);
            if console::reader_has_left() {
                return Ok(());
            }
        }
    }

    async fn execute(&mut self, task: Task) -> anyhow::Result<()> {
        match task {
            Task::Judge(began) => self.judge(began).await,
            Task::Check => program::run(self.cycle.lab(), &["check"]).await.map(|_| ()),
            Task::Reset => {
                let deleted = usize::try_from(self.cycle.reset().await?).unwrap_or(usize::MAX);
                console::line(format_args!("One copy, no orders. {} deleted.", counted(deleted, "order")));
                Ok(())
            }
        }
    }

    async fn judge(&mut self, mut began: Instant) -> anyhow::Result<()> {
        loop {
            match self.cycle.run(&mut self.changes, began).await? {
                End::Judged(rounds) => print_verdict(&rounds, self.has_keys),
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

/// Waits for a key that asks for a task, and answers the other keys at once. `None`: the watch is to end.
async fn asked_for(keys: &mut Keys) -> anyhow::Result<Option<Task>> {
    loop {
        match keys.next().await {
            Key::Hint => console::line(format_args!("{}\n", hint::next(Path::new(STATE))?)),
            Key::Check => return Ok(Some(Task::Check)),
            Key::Reset => return Ok(Some(Task::Reset)),
            Key::Quit => return Ok(None),
        }
    }
}

fn print_save(save: &Save) {
    let mut files = save.files.iter();
    match files.next() {
        Some(file) if files.len() == 0 => console::line(format_args!("saved {}", file.display())),
        Some(file) => console::line(format_args!("saved {} and {} more", file.display(), files.len())),
        None => console::line("saved"),
    }
    if save.files.iter().any(|file| file.starts_with("migration")) {
        console::line("The schema changes when the shop opens: make stop, make run");
    }
}

/// The verdict, in the check's words. A click alone can't show that the shop is fixed, so this never says FIXED.
fn verdict(played: &OneClick, has_keys: bool) -> (AnsiColor, String, String) {
    let rounds = counted(played.begun(), "round");
    let check = if has_keys { "press c (make check)" } else { "make check" };
    if played.oversold() > 0 {
        let headline = format!("OVERSOLD in {} of {rounds}", played.oversold());
        (RED, headline, one_click::judge(played).seen)
    } else if played.is_right() {
        let headline =
            format!("ONE CLICK LOOKS RIGHT: 1 order and stock 0 in {} of {rounds}", played.right());
        let more = format!(
            "A click does not show how the shop serves a crowd. To see whether the shop is FIXED: {check}"
        );
        (GREEN, headline, more)
    } else {
        let more = format!("{}. See why: make logs", one_click::judge(played).seen);
        (YELLOW, "NOT FIXED: one click is not right".to_owned(), more)
    }
}

fn print_verdict(played: &OneClick, has_keys: bool) {
    if played.orders_deleted > 0 {
        let orders = counted(usize::try_from(played.orders_deleted).unwrap_or(usize::MAX), "order");
        console::line(format_args!("The first reset has deleted {orders}."));
    }
    let (color, headline, more) = verdict(played, has_keys);
    print_in(color, &headline);
    console::line(more);
}

fn print_keys(keys: &Keys) {
    if keys.are_there() {
        console::line("\nh hint · c check with crowds · r reset · q quit · or save a file\n");
    } else {
        console::line("");
    }
}

const RED: AnsiColor = AnsiColor::Red;
const GREEN: AnsiColor = AnsiColor::Green;
const YELLOW: AnsiColor = AnsiColor::Yellow;

fn print_in(color: AnsiColor, line: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    console::line(format_args!("\n{style}{line}{style:#}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::one_click::ClickRound;
    use crate::shop::client::shown::Attempt;

    fn played(rounds: usize, sold: usize, second: &str) -> OneClick {
        let attempt = |status: &str| Attempt {
            status: status.to_owned(),
            served_by: "replica-1".to_owned(),
            took_ms: 50,
        };
        let round = ClickRound {
            attempts: vec![attempt("200 OK"), attempt(second)],
            sold_by: vec!["replica-1".to_owned(); sold],
            quantity: 1 - sold as i64,
        };
        OneClick { rounds: vec![round; rounds], wanted: 10, ..OneClick::default() }
    }

    #[test]
    fn what_looks_right_is_not_called_fixed_and_the_way_to_the_crowd_is_named() {
        let right = played(10, 1, "400 Bad Request");
        let said = |has_keys| {
            let (_, headline, more) = verdict(&right, has_keys);
            format!("{headline}\n{more}")
        };

        assert!(said(true).starts_with("ONE CLICK LOOKS RIGHT: 1 order and stock 0 in 10 of 10 rounds\n"));
        assert!(said(true).ends_with("whether the shop is FIXED: press c (make check)"), "{}", said(true));
        assert!(said(false).ends_with("whether the shop is FIXED: make check"), "{}", said(false));
    }

    #[test]
    fn the_rounds_that_are_counted_are_the_same_in_both_lines() {
        let (_, headline, more) = verdict(&played(5, 1, "503 Service Unavailable"), true);
        assert_eq!(headline, "NOT FIXED: one click is not right");
        assert!(
            more.starts_with("1 order and stock 0 in 0 of 5 rounds; one failed round: 1 order, "),
            "{more}"
        );

        let (_, headline, more) = verdict(&played(10, 2, "200 OK"), true);
        assert_eq!(headline, "OVERSOLD in 10 of 10 rounds");
        assert!(more.contains("2 orders, stock -1"), "{more}");
    }
}
