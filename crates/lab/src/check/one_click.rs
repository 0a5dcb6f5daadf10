//! The exercise itself: one copy, one click on Buy Now, again and again. Start with [`run`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flash_sale_testbed::reason::told;
use tokio::time::timeout;

use super::part::Say;
use super::purchase::failure_after;
use super::verdict::Check;
use crate::shop::client::Shop;
use crate::shop::client::shown::Attempt;
use crate::wording::counted;

/// The check gives up after so many clicks that met a failure of the shop: more of them would only take time.
const FAILED_CLICKS_LIMIT: usize = 5;
/// It also gives up after a single failed click that took longer than this: others would take as long.
const FAILED_CLICK_TIME: Duration = Duration::from_secs(3);
/// No click begins later than this, or than [`TIME_PER_ROUND`] for each click if that is longer. A right fix needs half
/// of that time.
const TIME: Duration = Duration::from_secs(15);
const TIME_PER_ROUND: Duration = Duration::from_millis(300);
/// The time for a click, including the reset before it and the look at its result. Buy Now itself waits for 10 s.
const CLICK_LIMIT: Duration = Duration::from_secs(12);
const ROUNDS_PER_LINE: usize = 10;

/// One reset, one click, and what was there afterwards.
#[derive(Clone, Debug)]
pub struct ClickRound {
    /// The click's requests.
    pub attempts: Vec<Attempt>,
    /// The replicas that sold, one for each order.
    pub sold_by: Vec<String>,
    /// Copies in stock.
    pub quantity: i64,
}

impl ClickRound {
    /// The one copy was sold more than once.
    pub fn is_oversold(&self) -> bool {
        self.sold_by.len() > 1 || self.quantity < 0
    }

    /// There is one order, and stock 0. One request was answered with 200, and each other one was turned away (400 or
    /// 409).
    pub fn is_right(&self) -> bool {
        let statuses = || self.attempts.iter().filter_map(Attempt::status_code);
        let sold = statuses().filter(|status| *status == 200).count();
        let refused = statuses().filter(|status| matches!(status, 400 | 409)).count();
        let is_sold_once = self.sold_by.len() == 1 && self.quantity == 0;
        is_sold_once && sold == 1 && sold + refused == self.attempts.len()
    }

    /// A buyer was told that the book is theirs.
    pub fn has_sale(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.status_code() == Some(200))
    }

    /// A request got no answer, or an answer that is the shop's own fault.
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
    /// The rounds that were played.
    pub rounds: Vec<ClickRound>,
    /// Why rounds could not be played to their end: a reset that is refused, a page that doesn't answer.
    pub broken: Vec<String>,
    /// How many rounds were asked for. Fewer are played when one click after the other fails, or takes too long.
    pub wanted: usize,
    /// How many orders were there before. The first reset has deleted them.
    pub orders_deleted: u64,
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

    /// How many rounds were begun.
    pub fn begun(&self) -> usize {
        self.rounds.len() + self.broken.len()
    }

    fn failures(&self) -> usize {
        self.rounds.iter().filter(|round| round.has_failure()).count() + self.broken.len()
    }

    /// Whether all was as it should be in each round that was asked for.
    pub fn is_right(&self) -> bool {
        self.right() == self.wanted
    }
}

/// The longest time that so many clicks take, however the shop behaves.
pub fn longest(rounds: usize) -> Duration {
    time_to_begin(rounds) + CLICK_LIMIT
}

fn time_to_begin(rounds: usize) -> Duration {
    TIME.max(TIME_PER_ROUND * u32::try_from(rounds).unwrap_or(u32::MAX))
}

/// Resets the shop and clicks Buy Now, `rounds` times. The shop is left as the last click made it.
pub async fn run(shop: &Shop, rounds: usize, say: Say<'_>) -> OneClick {
    let begun = Instant::now();
    let mut played = OneClick { wanted: rounds, ..OneClick::default() };
    let mut deleted = None;
    for number in 0..rounds {
        if number % ROUNDS_PER_LINE == 0 {
            say(&format!("one click: round {} of {rounds}", number + 1));
        }
        let failures_before = played.failures();
        if number == 0 || failures_before > 0 {
            // A replica that has just ended is there again in a moment.
            shop.wait_until_healthy().await;
        }
        let clicked = Instant::now();
        match timeout(CLICK_LIMIT, play(shop, &mut deleted)).await {
            Ok(Ok(round)) => played.rounds.push(round),
            Ok(Err(error)) => {
                played.broken.push(told(&error).trim_end_matches(". Look at: make logs").to_owned());
            }
            Err(_) => played.broken.push(format!("no answer within {} s", CLICK_LIMIT.as_secs())),
        }
        let failures = played.failures();
        let has_failed_slowly = failures > failures_before && clicked.elapsed() > FAILED_CLICK_TIME;
        if failures == FAILED_CLICKS_LIMIT || has_failed_slowly || begun.elapsed() > time_to_begin(rounds) {
            break;
        }
    }
    OneClick { orders_deleted: deleted.unwrap_or_default(), ..played }
}

/// Plays a round. The first reset writes into `deleted` how many orders it has deleted.
async fn play(shop: &Shop, deleted: &mut Option<u64>) -> anyhow::Result<ClickRound> {
    let orders = shop.reset().await?;
    deleted.get_or_insert(orders);
    let attempts = shop.click().await?;
    let product = shop.featured_product().await?;
    let orders = shop.orders_of(product.id).await?;
    let sold_by = orders.into_iter().map(|order| order.served_by).collect();
    Ok(ClickRound { attempts, sold_by, quantity: product.quantity })
}

/// Each click makes exactly one order, and the stock is 0.
pub fn judge(clicks: &OneClick) -> Check {
    let (right, begun) = (clicks.right(), clicks.begun());
    let mut seen = format!("1 order and stock 0 in {right} of {}", counted(begun, "round"));
    let wrong = clicks.rounds.iter().find(|round| !round.is_right());
    if let Some(round) = wrong {
        seen.push_str(&format!("; one failed round: {}", what_came_of(round)));
    } else if let Some(reason) = clicks.broken.first() {
        seen.push_str(&format!("; one failed round: {reason}"));
    }
    if begun < clicks.wanted {
        seen.push_str("; the other rounds were left out");
    }
    let (meaning, place) = if clicks.oversold() > 0 {
        (
            "The one copy was sold more than once. How far apart are the orders, and how long does one purchase take? \
             Click once, and look at the page.",
            "Look at what create_order reads, and when: crates/services/src/order_service.rs.",
        )
    } else if wrong.is_some_and(|round| round.has_failure() && !round.has_sale() && !round.sold_by.is_empty())
    {
        (
            "The copy was sold, and its buyer was told of a failure. See which: make logs.",
            "Look at what create_order does after its commit: crates/services/src/order_service.rs.",
        )
    } else if wrong.is_some_and(|round| round.has_failure() && !round.has_sale()) {
        (
            "Nobody gets the book, not even the first buyer: each request meets a failure. See which: make logs.",
            "Look at what create_order does: crates/services/src/order_service.rs.",
        )
    } else if wrong.is_some_and(ClickRound::has_failure) {
        (
            "The copy was sold, and the other request met a failure. What did it run into? See: make logs.",
            "Look at what the slower of two purchases runs into in create_order.",
        )
    } else if wrong.is_none() && !clicks.broken.is_empty() {
        (
            "The check could not reset the shop, click, or read the orders, as the page does. See why: make logs.",
            "",
        )
    } else if wrong.is_none() {
        ("The rounds took too long, so some were left out.", "")
    } else {
        (
            "A click must sell the one copy once, and turn the other request away.",
            "Look at what create_order answers, and when: crates/services/src/order_service.rs.",
        )
    };
    Check::new("one click", clicks.is_right(), seen, meaning).at(place).after_failure(clicks.failures() > 0)
}

fn what_came_of(round: &ClickRound) -> String {
    let told = |attempt: &Attempt| failure_after(&attempt.status, Duration::from_millis(attempt.took_ms));
    let answers: Vec<String> = round.attempts.iter().map(told).collect();
    let but = if round.sold_by.len() == 1 && round.quantity == 0 { " but" } else { "" };
    let orders = counted(round.sold_by.len(), "order");
    format!("{orders}, stock {},{but} {}", round.quantity, answers.join(" + "))
}
