//! A schedule as text: a column for each purchase, a row for each step, what each read saw, and what was committed.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use flash_sale_dashboard::clicks::{Click, Which, group};
use flash_sale_dashboard::crowd::Crowd;
use flash_sale_dashboard::lane::{self, Step as Sent};
use flash_sale_dashboard::notes::note;
use flash_sale_dashboard::shelf::Shelf;
use flash_sale_diagnosis::sql::label;
use flash_sale_explorer::{Act, Became, Schedule, letter};
use flash_sale_wiretap::trace::Transaction;

use super::requests::{short_name, trouble_in_words};
use crate::wrap::wrapped;

/// The longest line, in characters.
const WIDTH: usize = 98;
/// The number of the step before the columns, and the stock and the orders behind them.
const BESIDE: usize = 6 + 14;

/// A row of the text.
struct Row {
    /// The number of its step. `None`: a wait that has ended during the step above.
    number: Option<usize>,
    actor: usize,
    words: String,
    /// When the statement ended, in milliseconds since the schedule began.
    at_ms: f64,
}

/// When a statement that has waited went on.
struct Woken {
    actor: usize,
    /// The step that waited, and the step during which the wait ended.
    waited: usize,
    during: usize,
    words: String,
    at_ms: f64,
}

/// Writes the schedule. `transactions` are those that the wire saw while it was played.
pub fn write(schedule: &Schedule, acts: &[Act], transactions: &[Transaction]) -> String {
    let began_at = transactions.iter().map(|transaction| transaction.began_at).min().unwrap_or_default();
    let sent = sent_at_each_step(schedule, transactions, began_at);
    // Statements without a transaction are no purchase by themselves, and here all of them are.
    let click = group(transactions.to_vec(), Which::All).into_iter().reduce(joined);
    let crowd = click.as_ref().map(Crowd::of);
    let shelf = crowd.as_ref().and_then(Shelf::of);

    let actors = schedule.replies.len().max(1);
    let width = (WIDTH - BESIDE - 2 * actors) / actors;
    let heads: Vec<String> = (0..actors).map(|actor| head(actor, acts.get(actor))).collect();
    let mut text = line("step", &heads, width, shelf.as_ref().map(|_| ("stock", "orders")));
    let woken = woken(schedule, &sent);
    let mut number = 0;
    for row in rows(schedule, &sent, &woken) {
        number = row.number.unwrap_or(number);
        let mut cells: Vec<String> = (0..actors)
            .map(|actor| {
                let waits =
                    |woken: &Woken| woken.actor == actor && woken.waited < number && number <= woken.during;
                if woken.iter().any(waits) { waiting(actor, actors) } else { String::new() }
            })
            .collect();
        cells[row.actor] = row.words;
        let (stock, orders) = shelf.as_ref().map(|shelf| shelf.at(row.at_ms)).unwrap_or_default();
        let counts = (stock.map_or_else(|| "?".to_owned(), |stock| stock.to_string()), orders.to_string());
        let counts = shelf.as_ref().map(|_| (&*counts.0, &*counts.1));
        let step = row.number.map(|number| number.to_string()).unwrap_or_default();
        text.push_str(&line(&step, &cells, width, counts));
    }
    text
}

/// The head of a column. What is no purchase is named there.
fn head(actor: usize, act: Option<&Act>) -> String {
    let (letter, number) = (letter(actor), actor + 1);
    match act.and_then(short_name) {
        Some(name) => format!("{letter}: {name} (replica-{number})"),
        None => format!("{letter} (replica-{number})"),
    }
}

/// A schedule is one click, whatever pauses it has.
fn joined(mut one: Click, mut other: Click) -> Click {
    if other.began_at < one.began_at {
        std::mem::swap(&mut one, &mut other);
    }
    one.transactions.append(&mut other.transactions);
    one
}

/// The statement that the wire saw at each step. A step that is the rest of a statement has the same one again.
fn sent_at_each_step<'a>(
    schedule: &Schedule,
    transactions: &'a [Transaction],
    began_at: DateTime<Utc>,
) -> Vec<Option<Sent<'a>>> {
    let mut left: Vec<VecDeque<Sent>> = (0..schedule.replies.len())
        .map(|actor| {
            let replica = format!("replica-{}", actor + 1);
            let own = transactions.iter().filter(|transaction| transaction.replica == replica);
            let mut sent: Vec<Sent> = own.flat_map(|own| lane::steps(began_at, own)).collect();
            sent.sort_by(|one, other| one.began_ms.total_cmp(&other.began_ms));
            sent.into()
        })
        .collect();
    let mut last: Vec<Option<Sent>> = vec![None; left.len()];
    let steps = schedule.steps.iter().map(|step| {
        if !step.is_inside {
            let own = &mut left[step.actor];
            // The wire cuts very long SQL.
            let is_it = |sent: &Sent| step.sql.starts_with(sent.statement.sql.trim_end_matches('…'));
            last[step.actor] = own.iter().position(is_it).and_then(|place| own.remove(place));
        }
        last[step.actor]
    });
    steps.collect()
}

/// The waits, with the step during which each of them ended.
fn woken(schedule: &Schedule, sent: &[Option<Sent>]) -> Vec<Woken> {
    let begins =
        |place: usize| sent[place].filter(|_| !schedule.steps[place].is_inside).map(|sent| sent.began_ms);
    let wait = |(place, sent): (usize, &Option<Sent>)| {
        let (step, sent) = (&schedule.steps[place], (*sent)?);
        let at_ms = sent.ended_ms.unwrap_or(f64::INFINITY);
        let has_begun = |later: &usize| begins(*later).is_none_or(|began| began <= at_ms);
        let during = (place..schedule.steps.len()).take_while(has_begun).last().unwrap_or(place) + 1;
        // A deadlock ends a wait with an error.
        let has_failed_later = matches!(step.became, Became::Failed(_)) && during > place + 1;
        let has_waited = step.became == Became::Waited || has_failed_later;
        has_waited.then(|| Woken { actor: step.actor, waited: place + 1, during, words: note(&sent), at_ms })
    };
    sent.iter().enumerate().filter_map(wait).collect()
}

fn rows(schedule: &Schedule, sent: &[Option<Sent>], woken: &[Woken]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, step) in schedule.steps.iter().enumerate() {
        let number = place + 1;
        let goes_on_later =
            step.became == Became::Stopped || woken.iter().any(|woken| woken.waited == number);
        let note = sent[place].as_ref().filter(|_| !goes_on_later).map(note).unwrap_or_default();
        let label = if step.is_inside { "the rest of it".to_owned() } else { label(&step.sql) };
        let trouble = step.trouble.map(trouble_in_words).unwrap_or_default().to_owned();
        let said = match (step.became == Became::Stopped, trouble.is_empty(), note.is_empty()) {
            (true, _, _) => "is stopped inside".to_owned(),
            (false, false, false) => format!("{trouble}; {note}"),
            (false, false, true) => trouble,
            (false, true, _) => note,
        };
        let words = if said.is_empty() { label } else { format!("{label}: {said}") };
        let ended_ms =
            |sent: Sent| if goes_on_later { sent.began_ms } else { sent.ended_ms.unwrap_or(sent.began_ms) };
        let at_ms = sent[place].map_or(0.0, ended_ms);
        rows.push(Row { number: Some(number), actor: step.actor, words, at_ms });
        for woken in woken.iter().filter(|woken| woken.during == number) {
            let words = if woken.words.is_empty() { String::new() } else { format!(": {}", woken.words) };
            let words = format!("  goes on{words}");
            rows.push(Row { number: None, actor: woken.actor, words, at_ms: woken.at_ms });
        }
    }
    rows
}

/// One row, in as many lines as its longest cell needs.
fn line(number: &str, cells: &[String], width: usize, counts: Option<(&str, &str)>) -> String {
    let cells: Vec<Vec<String>> = cells.iter().map(|cell| lines_of(cell, width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default().max(1);
    let mut text = String::new();
    for place in 0..height {
        let mut row = format!("{:>6}", if place == 0 { number } else { "" });
        for cell in &cells {
            let cell = cell.get(place).map_or("", String::as_str);
            row.push_str(&format!("  {cell:width$}"));
        }
        if let Some((stock, orders)) = counts.filter(|_| place == 0) {
            row.push_str(&format!("{stock:>6}{orders:>8}"));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// A cell that is too long is broken behind the name of its statement. What follows is indented.
fn lines_of(cell: &str, width: usize) -> Vec<String> {
    if cell.chars().count() <= width {
        return vec![cell.to_owned()];
    }
    let (first, rest) = cell.split_once(": ").unwrap_or((cell, ""));
    let first = if rest.is_empty() { first.to_owned() } else { format!("{first}:") };
    let rest = wrapped(rest, width - 2).into_iter().map(|line| format!("  {line}"));
    std::iter::once(first).chain(rest).collect()
}

/// What stands in the column of a purchase that waits. Of two purchases, it can only be the other one.
fn waiting(actor: usize, actors: usize) -> String {
    match actors {
        2 => format!("  ... waits for {} ...", letter(1 - actor)),
        _ => "  ... waits ...".to_owned(),
    }
}
