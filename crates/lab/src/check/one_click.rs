//! The exercise itself: one copy, one click on Buy Now, again and again. Start with [`run`].

use std::collections::BTreeSet;

use super::shop::{Attempt, Shop};
use super::{Check, Say};

/// After so many clicks that met a failure of the shop, more of them would only take time.
const FAILED_CLICKS_LIMIT: usize = 5;
const ROUNDS_PER_LINE: usize = 10;

/// One reset, one click, and what was there afterwards.
#[derive(Clone, Debug)]
pub struct Round {
    /// The click's requests.
    pub attempts: Vec<Attempt>,
    /// The replicas that sold, one for each order.
    pub sold_by: Vec<String>,
    /// Copies in stock.
    pub quantity: i64,
}

impl Round {
    /// The one copy was sold more than once.
    pub fn is_oversold(&self) -> bool {
        self.sold_by.len() > 1 || self.quantity < 0
    }

    /// One order, stock 0; one request was told so, and each other was turned away: 400, or 409.
    pub fn is_right(&self) -> bool {
        let statuses = || self.attempts.iter().filter_map(Attempt::status_code);
        let sold = statuses().filter(|status| *status == 200).count();
        let refused = statuses().filter(|status| matches!(status, 400 | 409)).count();
        let is_sold_once = self.sold_by.len() == 1 && self.quantity == 0;
        is_sold_once && sold == 1 && sold + refused == self.attempts.len()
    }

    /// A request got no answer, or one that is the shop's own fault.
    pub fn has_failure(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.status_code().is_none_or(|status| status >= 500))
    }

    /// The replicas that answered.
    pub fn replicas(&self) -> BTreeSet<&str> {
        self.attempts.iter().map(|attempt| attempt.served_by.as_str()).collect()
    }
}

/// What all rounds have shown.
#[derive(Clone, Debug, Default)]
pub struct OneClick {
    /// Those that were played.
    pub rounds: Vec<Round>,
    /// Those that were asked for. Fewer are played when one click after the other fails.
    pub wanted: usize,
}

impl OneClick {
    /// In how many rounds the one copy was sold more than once.
    pub fn oversold(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_oversold()).count()
    }

    /// In how many rounds all was as it should be.
    pub fn right(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_right()).count()
    }

    /// Whether all was as it should be in each round that was asked for.
    pub fn is_right(&self) -> bool {
        self.right() == self.wanted
    }
}

/// Resets the shop and clicks Buy Now, `rounds` times. The shop is left as the last click made it.
///
/// # Errors
/// When the shop can't be asked, or doesn't know what a click is.
pub async fn run(shop: &Shop, rounds: usize, say: Say<'_>) -> anyhow::Result<OneClick> {
    let mut played = OneClick { rounds: Vec::with_capacity(rounds), wanted: rounds };
    for number in 0..rounds {
        if number % ROUNDS_PER_LINE == 0 {
            say(&format!("one click: round {} of {rounds}", number + 1));
        }
        played.rounds.push(play(shop).await?);
        if played.rounds.iter().filter(|round| round.has_failure()).count() == FAILED_CLICKS_LIMIT {
            break;
        }
    }
    Ok(played)
}

async fn play(shop: &Shop) -> anyhow::Result<Round> {
    shop.reset().await?;
    let attempts = shop.click().await?;
    let product = shop.featured_product().await?;
    let orders = shop.orders_of(product.id).await?;
    let sold_by = orders.into_iter().map(|order| order.served_by).collect();
    Ok(Round { attempts, sold_by, quantity: product.quantity })
}

/// Each click makes exactly one order, and the stock is 0.
pub fn judge(clicks: &OneClick) -> Check {
    let (right, played) = (clicks.right(), clicks.rounds.len());
    let mut seen = format!("1 order and stock 0 in {right} of {played} rounds");
    let wrong = clicks.rounds.iter().find(|round| !round.is_right());
    if let Some(round) = wrong {
        let answers: Vec<&str> = round.attempts.iter().map(|attempt| attempt.status.as_str()).collect();
        let (orders, stock) = (round.sold_by.len(), round.quantity);
        seen.push_str(&format!(
            "; otherwise, for example, {orders} orders, stock {stock}, {}",
            answers.join(" + ")
        ));
    }
    if played < clicks.wanted {
        seen.push_str("; the other rounds were left out");
    }
    let meaning = if clicks.oversold() > 0 {
        "Two purchases were decided on the same copy. Look at what create_order reads, and when: \
         crates/services/src/order_service.rs."
    } else if wrong.is_some_and(Round::has_failure) {
        "A buyer met a failure where the answer is that the book is gone. Look at what the slower of two purchases \
         runs into: make logs."
    } else {
        "A click must sell the one copy once, and turn the other request away. Look at what create_order answers, \
         and at: make logs."
    };
    Check::new("one click", clicks.is_right(), seen, meaning)
}
