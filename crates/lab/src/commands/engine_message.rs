//! Tells the dashboard how far a command is: a message in a line of standard output.

use flash_sale_dashboard::engine_messages::EngineMessage;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::console;

/// Tells it.
pub fn tell(message: &EngineMessage) {
    console::line(serde_json::to_string(message).expect("texts and numbers always become JSON"));
}

/// What the dashboard is told of a report: the fields that both have.
///
/// # Errors
/// When the report lacks a field that the dashboard shows.
pub fn part_of<T: DeserializeOwned>(report: &impl Serialize) -> serde_json::Result<T> {
    serde_json::from_value(serde_json::to_value(report)?)
}
