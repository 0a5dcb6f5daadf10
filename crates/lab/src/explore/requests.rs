//! What was played, in words: the requests, and what befell one of them.

use anyhow::bail;
use flash_sale_explorer::{Act, TroubleKind};

use crate::wording::counted;

/// The requests, as in "2 purchases of 1 copy".
pub fn requests_in_words(acts: &[Act], stock: u32) -> String {
    let copies = counted(usize::try_from(stock).unwrap_or(usize::MAX), "copy");
    let keys: Vec<&str> = acts.iter().filter_map(key).collect();
    let purchases = acts.iter().filter(|act| act.is_purchase()).count();
    let mut words = match keys.as_slice() {
        [one, other] if one == other => format!("2 requests with one Idempotency-Key for {copies}"),
        _ => format!("{} of {copies}", counted(purchases, "purchase")),
    };
    if let Some(strategy) = acts.iter().find_map(strategy) {
        words.push_str(&format!(" with the strategy {strategy}"));
    }
    if keys.len() == 1 {
        words.push_str(" (A has an Idempotency-Key)");
    }
    if let Some(other) = acts.iter().find_map(other_request) {
        words.push_str(&format!(" and {other}"));
    }
    words
}

/// # Errors
/// When the requests name a strategy that is not one of `known`.
pub fn require_known_strategy(acts: &[Act], known: &[String]) -> anyhow::Result<()> {
    match acts.iter().find_map(strategy) {
        Some(strategy) if !known.iter().any(|known| known == strategy) => {
            bail!("the shop knows no strategy {strategy}. It knows: {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

/// A request that is no purchase.
fn other_request(act: &Act) -> Option<&'static str> {
    match act {
        Act::Buy { .. } => None,
        Act::Reset => Some("a reset"),
        Act::Page => Some("a request for the page"),
    }
}

/// The name of a request that is no purchase, for the head of its column.
pub fn short_name(act: &Act) -> Option<&'static str> {
    match act {
        Act::Buy { .. } => None,
        Act::Reset => Some("reset"),
        Act::Page => Some("page"),
    }
}

/// What befalls purchase A, as a sentence without its end.
pub fn trouble_in_words(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::ClientLeaves => "A's client leaves",
        TroubleKind::ConnectionBreaks => "A's connection to PostgreSQL breaks",
        TroubleKind::AnswerIsLost => "PostgreSQL's answer to A is lost",
    }
}

fn key(act: &Act) -> Option<&str> {
    match act {
        Act::Buy { key, .. } => key.as_deref(),
        _ => None,
    }
}

fn strategy(act: &Act) -> Option<&str> {
    match act {
        Act::Buy { strategy, .. } => strategy.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_each_request_and_the_keys() {
        let buy = |strategy: Option<&str>, key: Option<&str>| Act::Buy {
            strategy: strategy.map(str::to_owned),
            key: key.map(str::to_owned),
        };
        for (acts, expected) in [
            (vec![Act::buy(), Act::buy()], "2 purchases of 1 copy"),
            (vec![buy(Some("nowait"), None); 3], "3 purchases of 1 copy with the strategy nowait"),
            (vec![buy(None, Some("k")); 2], "2 requests with one Idempotency-Key for 1 copy"),
            (vec![buy(None, Some("k")), Act::buy()], "2 purchases of 1 copy (A has an Idempotency-Key)"),
            (vec![Act::buy(), Act::Reset], "1 purchase of 1 copy and a reset"),
            (vec![Act::buy(), Act::Page], "1 purchase of 1 copy and a request for the page"),
        ] {
            assert_eq!(requests_in_words(&acts, 1), expected);
        }
    }
}
