//! A statement as a diagnosis shows it: whose it is, what it is called, and what it saw.

use serde::{Deserialize, Serialize};

use crate::reading::Sent;

/// A statement as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The letter of its purchase: A or B.
    pub purchase: String,
    /// The SQL in a few words, as the timeline writes it.
    pub label: String,
    /// What came of it: `saw quantity 1`. Empty: nothing that matters.
    pub result: String,
}

/// How it is shown.
pub(crate) fn shown(purchase: usize, sent: &Sent) -> Shown {
    Shown { purchase: letter(purchase), label: sent.label.clone(), result: result(sent) }
}

/// What came of a statement, in a few words.
pub(crate) fn result(sent: &Sent) -> String {
    if let Some(error) = &sent.error {
        return format!("failed with {error}");
    }
    if sent.commits() && sent.tag.as_deref() == Some("ROLLBACK") {
        return "was answered ROLLBACK".to_owned();
    }
    if sent.stock_write().is_some() {
        return match sent.rows {
            Some(1) => "changed 1 row".to_owned(),
            Some(rows) => format!("changed {rows} rows"),
            None => String::new(),
        };
    }
    match (sent.product_read(), sent.quantity(), sent.rows) {
        (Some(_), Some(quantity), _) => format!("saw quantity {quantity}"),
        (Some(_), None, Some(0)) => "saw no row".to_owned(),
        _ => String::new(),
    }
}

fn letter(purchase: usize) -> String {
    char::from(b'A' + u8::try_from(purchase % 26).unwrap_or_default()).to_string()
}
