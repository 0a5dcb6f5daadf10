//! What an exploration has found, as text and as JSON.

use std::fmt::Write;

use flash_sale_explorer::{Exploration, Inside, Note, Schedule, Step};
use serde_json::{Value, json};

use super::certificate::{Certificate, Claim};
use super::requests::trouble_in_words;
use crate::wording::counted;
use crate::wrap::wrapped;

/// The longest line, in characters.
const WIDTH: usize = 98;

/// An exploration with what is said of it.
pub struct ExploreReport {
    /// What was found.
    pub exploration: Exploration,
    /// What was proven, and what was not.
    pub certificate: Certificate,
    /// The schedule that is shown: the worst one or, if none breaks a rule, one in which a request waited.
    pub shown: Option<ShownSchedule>,
}

/// A schedule that is shown.
pub struct ShownSchedule {
    /// Its letters.
    pub letters: String,
    /// Its columns.
    pub columns: String,
    /// The command that plays it again.
    pub command: String,
}

impl ExploreReport {
    /// One JSON object: the fields of [`Exploration`], the counterexample's letters in it, and the certificate.
    ///
    /// # Errors
    /// When a value can't be written as JSON.
    pub fn to_json(&self) -> serde_json::Result<Value> {
        let mut report = serde_json::to_value(&self.exploration)?;
        if let Some(schedule) = &self.exploration.counterexample {
            report["counterexample"] = schedule_in_json(schedule)?;
        }
        report["certificate"] = serde_json::to_value(&self.certificate)?;
        Ok(report)
    }

    /// The report for a person.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n{}{}", headline(&self.exploration), self.counts(), self.notes());
        if let Some(ShownSchedule { letters, columns, command }) = &self.shown {
            let requests = self.certificate.kind_of_requests();
            let what = if self.exploration.counterexample.is_some() {
                format!("The worst schedule, with the fewest switches between the {requests}s")
            } else {
                format!("A schedule in which a {requests} waits for another one")
            };
            let _ = write!(text, "\n{what}: {letters}\n{columns}");
            let _ = writeln!(text, "\nPlay it again: {command}");
        }
        let _ = write!(text, "\n{}", self.certificate.text());
        text
    }

    fn counts(&self) -> String {
        let (found, requests) = (&self.exploration, self.certificate.kind_of_requests());
        let all = if found.complete {
            "all of them".to_owned()
        } else if found.not_repeated > 0 {
            format!("not all of them: {} times the {requests}s did not repeat themselves", found.not_repeated)
        } else {
            "not all of them: the time limit was reached (--time-limit)".to_owned()
        };
        let redundant = match found.redundant {
            0 => String::new(),
            more => format!("; {more} more could bring nothing new"),
        };
        let mut text = String::new();
        let mut line = |name: &str, count: usize, more: &str| {
            let _ = writeln!(text, "{}", format!("{name:<36}{count:>6}{more}").trim_end());
        };
        line("schedules", found.schedules, &format!("  {all}{redundant}"));
        if let Some(kind) = self.certificate.trouble {
            line(trouble_in_words(kind), found.troubled, "");
        }
        line("sold more copies than there were", found.oversold, "");
        line("lost a sale", found.lost_sales, "  told \"Out of stock\" while a copy was left");
        line("stock and orders disagree", found.unconserved, "");
        line("an answer was not true", found.dishonest, "");
        line("a request failed (5xx)", found.failed, "");
        line("a deadlock", found.deadlocked, "");
        line("a statement waited for another", found.waited, "");
        let answers = found.answers.iter().map(|(answers, count)| format!("{answers}: {count}"));
        let _ = writeln!(
            text,
            "answers to the {requests}s, in order: {}",
            answers.collect::<Vec<_>>().join(", ")
        );
        text
    }

    fn notes(&self) -> String {
        let notes = self.exploration.notes.iter();
        let said =
            notes.map(|(note, count)| format!("in {}: {}", counted(*count, "schedule"), in_words(*note)));
        said.flat_map(|note| wrapped(&note, WIDTH)).map(|line| format!("{line}\n")).collect()
    }
}

/// A schedule as JSON, with its letters and the number of its switches.
///
/// # Errors
/// When a value can't be written as JSON.
pub fn schedule_in_json(schedule: &Schedule) -> serde_json::Result<Value> {
    let mut object = serde_json::to_value(schedule)?;
    object["letters"] = json!(schedule.letters());
    object["switches"] = json!(schedule.switches());
    Ok(object)
}

/// What came of one schedule, in a sentence.
pub fn outcome_in_words(schedule: &Schedule) -> String {
    let outcome = &schedule.outcome;
    let answers: Vec<String> = schedule.replies.iter().map(flash_sale_explorer::Reply::in_words).collect();
    let verdict = if outcome.breaks_a_rule() { "A rule is broken" } else { "No rule is broken" };
    let orders = counted(outcome.orders, "order");
    format!("{verdict}: {orders}, stock {}, answers {}.", outcome.left, answers.join(" "))
}

/// What is said first.
fn headline(found: &Exploration) -> String {
    let schedules = counted(found.schedules, "schedule");
    let broken = [
        (found.oversold, "OVERSOLD"),
        (found.dishonest, "WRONG ANSWERS"),
        (found.unconserved, "STOCK AND ORDERS DISAGREE"),
        (found.lost_sales, "SALES LOST"),
    ];
    match broken.into_iter().find(|(count, _)| *count > 0) {
        Some((count, word)) => format!("{word} in {count} of {schedules} ({:.1} s)", found.seconds),
        None => {
            let (all, more) = if found.complete { ("all ", "") } else { ("", ", and there are more") };
            let failed = match found.failed {
                0 => String::new(),
                failed => format!("; a request failed in {failed}"),
            };
            format!("NO RULE BROKEN in {all}{schedules}{more}{failed} ({:.1} s)", found.seconds)
        }
    }
}

fn in_words(note: Note) -> &'static str {
    match note {
        Note::WaitedInTheShop => {
            "a request did nothing in the database for a second. It waited inside the shop, where the explorer sees nothing"
        }
        Note::LeftOpen => {
            "a transaction was still open after the answer to its request. The explorer has ended its session"
        }
        Note::SeveralAtOnce => {
            "a request had several statements waiting at once. They went on in the order in which they came"
        }
        Note::RepeatedAttempt => {
            "an attempt was about to be repeated although nothing had changed. The repetition was left out"
        }
    }
}

/// The argument that a replay of these whole statements needs, with a space before it. Without the argument, a statement
/// that both reads and writes is stopped inside. Then it takes two letters, and the other letters mean other steps.
pub fn whole_statements(steps: &[Step]) -> &'static str {
    let has_two_letters = |step: &Step| Inside::WhereItReads.stops(&step.sql);
    if steps.iter().any(has_two_letters) { " --inside never" } else { "" }
}

/// The command that plays these letters again.
pub fn replay_command(arguments: &str, letters: &str) -> String {
    format!("make explore ARGS=\"--replay {letters}{arguments}\"")
}

impl ExploreReport {
    /// Whether a rule is broken.
    pub fn is_refuted(&self) -> bool {
        self.certificate.claim == Claim::Refuted
    }
}
