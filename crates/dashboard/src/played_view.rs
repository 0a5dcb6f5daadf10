//! The steps of a play as a page shows them: what each statement saw, who waits, and the rows beside it.

use flash_sale_diagnosis::sql::{label, short};

use crate::clicks::{Click, Which, group};
use crate::lane::Step;
use crate::notes::note;
use crate::played::{Look, Played, PlayedStep, letter};

/// One step.
pub struct StepView {
    /// The name by which the picture's bar finds it.
    pub id: String,
    /// Its place, from 1.
    pub place: usize,
    /// The letter of its purchase.
    pub letter: char,
    /// The words for its statement.
    pub label: String,
    /// Its SQL in one line.
    pub short_sql: String,
    /// What it saw or did. Empty: there is nothing to say, or the reader does not stand there yet.
    pub note: String,
    /// Whether the reader has passed it.
    pub is_made: bool,
    /// Whether the reader stands after it.
    pub is_current: bool,
    /// The stock that is committed after it.
    pub stock: i64,
    /// The orders that are committed after it.
    pub orders: u64,
    /// Whether the next step is another purchase's, so that the two can be swapped.
    pub can_be_swapped: bool,
}

/// Where the reader stands.
pub struct LookView {
    /// The stock that is committed.
    pub stock: i64,
    /// The orders that are committed.
    pub orders: u64,
    /// A line for each purchase: what it does next, or whom it waits for.
    pub purchases: Vec<String>,
    /// The locks that are held or awaited.
    pub locks: Vec<LockView>,
}

/// A lock.
pub struct LockView {
    /// The letter of its purchase.
    pub letter: char,
    /// What is locked.
    pub what: String,
    /// How, in PostgreSQL's words.
    pub mode: String,
    /// `false`: the purchase waits for it.
    pub is_granted: bool,
}

/// The steps, for a reader who stands after so many of them.
pub fn step_views(played: &Played, at: usize) -> Vec<StepView> {
    let seen = played.seen();
    let steps = played.steps.iter().zip(&seen).enumerate();
    let view = |(index, (step, seen)): (usize, (&PlayedStep, &Option<Step<'_>>))| {
        let is_made = index < at;
        let after = played.looks.get(index + 1);
        let waits_for =
            |look: &Look| look.waits.iter().find(|(waiting, _)| *waiting == step.actor).map(|(_, it)| *it);
        // A statement waits while its purchase has made no other step, and waits now.
        let is_last_of_its_purchase =
            || !played.steps[index + 1..at.max(index + 1)].iter().any(|other| other.actor == step.actor);
        let now = played.looks.get(at).and_then(waits_for).filter(|_| is_made && is_last_of_its_purchase());
        let waited = after.and_then(waits_for).filter(|_| is_made);
        let saw = seen.as_ref().map(note).unwrap_or_default();
        let note = match (now, waited) {
            (Some(holder), _) => format!("waits for {}", letter(holder)),
            (None, Some(holder)) => format!("waited for {}, then: {}", letter(holder), or_done(&saw)),
            (None, None) if is_made => saw,
            (None, None) => String::new(),
        };
        let id = seen.as_ref().map(|seen| format!("s-{}-{}", seen.transaction.number, seen.place));
        StepView {
            id: id.unwrap_or_else(|| format!("step-{}", index + 1)),
            place: index + 1,
            letter: letter(step.actor),
            label: label(&step.sql),
            short_sql: short(&step.sql),
            note,
            is_made,
            is_current: index + 1 == at,
            stock: after.map_or(0, |look| look.left),
            orders: after.map_or(0, |look| look.orders),
            can_be_swapped: played.steps.get(index + 1).is_some_and(|next| next.actor != step.actor),
        }
    };
    steps.map(view).collect()
}

fn or_done(saw: &str) -> &str {
    if saw.is_empty() { "done" } else { saw }
}

impl LookView {
    /// What was seen after so many steps.
    pub fn at(played: &Played, at: usize) -> Self {
        let Some(look) = played.looks.get(at) else {
            return Self { stock: 0, orders: 0, purchases: Vec::new(), locks: Vec::new() };
        };
        let locks = look.locks.iter().map(|lock| LockView {
            letter: letter(lock.actor),
            what: lock.what.clone(),
            mode: lock.mode.clone(),
            is_granted: lock.is_granted,
        });
        Self {
            stock: look.left,
            orders: look.orders,
            purchases: (0..played.answers.len()).map(|actor| doing(played, look, actor)).collect(),
            locks: locks.collect(),
        }
    }
}

/// What a purchase does at this moment.
fn doing(played: &Played, look: &Look, actor: usize) -> String {
    let name = letter(actor);
    if let Some((_, sql)) = look.next.iter().find(|(it, _)| *it == actor) {
        return format!("{name} is held before {}", label(sql));
    }
    if let Some((_, holder)) = look.waits.iter().find(|(it, _)| *it == actor) {
        return format!("{name} waits for {}", letter(*holder));
    }
    match played.answers.get(actor).copied().flatten() {
        Some(status) => format!("{name} is done: its buyer is answered {status}"),
        None => format!("{name} is done"),
    }
}

/// The play as a click, to be drawn. A is the purchase of replica-1. `None`: nothing passed the wire.
pub fn click_of(played: &Played) -> Option<Click> {
    let clicks = group(played.transactions.clone(), Which::Purchases);
    let mut transactions: Vec<_> = clicks.into_iter().flat_map(|click| click.transactions).collect();
    let began_at = transactions.iter().map(|transaction| transaction.began_at).min()?;
    let number = transactions.iter().map(|transaction| transaction.number).min()?;
    transactions.sort_by(|one, other| (&one.replica, one.began_at).cmp(&(&other.replica, other.began_at)));
    Some(Click { number, began_at, transactions })
}
