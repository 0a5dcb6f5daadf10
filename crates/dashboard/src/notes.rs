//! What is said of a statement in a few words: what a read saw, which order an insert made, how many rows changed.

use flash_sale_diagnosis::sql::{Verb, Words};
use flash_sale_wiretap::trace::Outcome;
use serde_json::Value;

use crate::lane::{Lane, Step, short_id};

/// A longer value is cut.
const LONGEST_VALUE: usize = 24;

/// What a read saw of the stock: `saw quantity 1`.
pub fn saw_quantity(step: &Step) -> Option<String> {
    quantity(step).map(|quantity| format!("saw quantity {quantity}"))
}

/// The stock that a read saw.
pub fn quantity(step: &Step) -> Option<i64> {
    let is_read = Words::of(&step.statement.sql).verb() == Verb::Select;
    let value = step.statement.saw.as_ref().filter(|_| is_read)?.get("quantity")?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// The most important fact of a statement's answer. Empty: there is none, or it has not been answered.
pub fn note(step: &Step) -> String {
    let statement = step.statement;
    if let Some(error) = &statement.error {
        return format!("error {error}");
    }
    match Words::of(&statement.sql).verb() {
        Verb::Select => saw_quantity(step).unwrap_or_else(|| saw_something(step)),
        Verb::Insert => match step.transaction.order_id {
            Some(id) if Words::of(&statement.sql).has("orders") => format!("order {}", short_id(id)),
            _ => rows(statement.rows),
        },
        Verb::Update | Verb::Delete => rows(statement.rows),
        // PostgreSQL answers the COMMIT of a transaction that has failed with ROLLBACK.
        Verb::Commit if statement.tag.as_deref() == Some("ROLLBACK") => "answered ROLLBACK".to_owned(),
        _ => String::new(),
    }
}

/// How long a statement waited, and for whom: `waited 52.3 ms for A`.
pub fn waited(step: &Step, holder: Option<&str>) -> Option<String> {
    let wait = step.statement.blocked_by.as_ref()?;
    let verb = if step.ended_ms.is_some() { "waited" } else { "has waited" };
    let holder = holder.map_or_else(|| format!("connection {}", wait.backend_pid), str::to_owned);
    Some(format!("{verb} {:.1} ms for {holder}", wait.waited_ms))
}

/// The number with its noun: `1 order`, `2 orders`.
pub fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// How many of the lanes ended in this way.
pub fn with_outcome<'a>(lanes: impl Iterator<Item = &'a Lane<'a>>, outcome: Outcome) -> usize {
    lanes.filter(|lane| lane.outcome() == outcome).count()
}

fn saw_something(step: &Step) -> String {
    let statement = step.statement;
    let first = statement.saw.as_ref().and_then(|saw| saw.iter().next());
    match (first, statement.rows) {
        (Some((name, value)), _) if !is_void(value) => format!("saw {name} {}", cut(value)),
        (None, Some(0)) => "saw no row".to_owned(),
        _ => String::new(),
    }
}

/// What a function without a result returns, for example `pg_advisory_xact_lock`.
fn is_void(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str() == Some("")
}

fn cut(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn rows(rows: Option<u64>) -> String {
    rows.map_or_else(String::new, |rows| count(usize::try_from(rows).unwrap_or(usize::MAX), "row"))
}
