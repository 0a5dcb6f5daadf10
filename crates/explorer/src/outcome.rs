//! What came of a schedule: the rows and the answers, held against the rules that every shop must keep.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use crate::act::{Act, Reply};
use crate::piece::Piece;

/// What the rows and the answers say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Outcome {
    /// Copies that are left.
    pub left: i64,
    /// Orders that were made.
    pub orders: usize,
    /// The HTTP status of each actor's answer. `None`: no answer came.
    pub statuses: Vec<Option<u16>>,
    /// The rules that were broken.
    pub flaws: BTreeSet<Flaw>,
    /// How many statements waited for a lock.
    pub waits: usize,
    /// How many statements PostgreSQL ended because of a deadlock (40P01).
    pub deadlocks: usize,
}

/// A rule that was broken. The worst one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// More copies were sold than there were.
    Oversold,
    /// An answer was not true: an order that isn't there, an order that nobody was told of, one order for two buyers, or
    /// that there is no such product.
    Dishonest,
    /// Stock, holds and orders together are not what the stock was at first.
    Unconserved,
    /// A buyer was told "Out of stock", and a copy is left.
    LostSale,
    /// A request failed (5xx), and nothing had befallen it.
    Failed,
}

/// The rows after a schedule.
pub(crate) struct Rows {
    pub left: i64,
    /// Copies that `reservation` has taken and not sold. Their buyers have left, or are in trouble.
    pub held: i64,
    pub orders: BTreeSet<Uuid>,
}

impl Outcome {
    /// What came of it.
    pub(crate) fn of(piece: &Piece, replies: &[Reply], rows: &Rows) -> Self {
        let (mut flaws, acts, stock) = (BTreeSet::new(), &piece.acts, piece.stock);
        let has_reset = acts.contains(&Act::Reset);
        let purchases: Vec<&Reply> =
            acts.iter().zip(replies).filter(|(act, _)| act.is_purchase()).map(|(_, reply)| reply).collect();
        let told: BTreeSet<Uuid> = purchases.iter().filter_map(|reply| reply.order).collect();
        let sold = rows.orders.len() as i64;
        if sold > stock || rows.left < 0 {
            flaws.insert(Flaw::Oversold);
        }
        // A reset puts the stock back to one, and deletes orders that somebody was told of.
        let initial = if has_reset { 1 } else { stock };
        if initial - sold - rows.held != rows.left {
            flaws.insert(Flaw::Unconserved);
        }
        let everybody_knows = !purchases.iter().any(|reply| reply.leaves_it_open());
        let unknown_orders = rows.orders.difference(&told).count();
        let missing_orders = told.difference(&rows.orders).count();
        // The product is there in every schedule.
        let denies_product = purchases.iter().any(|reply| reply.status == Some(404));
        if (unknown_orders > 0 && everybody_knows)
            || (missing_orders > 0 && !has_reset)
            || denies_product
            || is_one_order_of_two_buyers(acts, replies)
        {
            flaws.insert(Flaw::Dishonest);
        }
        if rows.left > 0 && !has_reset && purchases.iter().any(|reply| reply.status == Some(400)) {
            flaws.insert(Flaw::LostSale);
        }
        let untroubled = replies.iter().skip(usize::from(piece.trouble.is_some()));
        if untroubled.into_iter().any(|reply| reply.status.is_some_and(|status| status >= 500)) {
            flaws.insert(Flaw::Failed);
        }
        let statuses = replies.iter().map(|reply| reply.status).collect();
        Self { left: rows.left, orders: rows.orders.len(), statuses, flaws, waits: 0, deadlocks: 0 }
    }

    /// Whether a rule was broken that no fix may break. A failure alone is none: the buyer was told, and may try again.
    pub fn breaks_a_rule(&self) -> bool {
        self.flaws.iter().any(|flaw| *flaw != Flaw::Failed)
    }
}

/// Whether two buyers were told of the same order. Requests with the same key come from one buyer.
fn is_one_order_of_two_buyers(acts: &[Act], replies: &[Reply]) -> bool {
    let told = acts.iter().zip(replies).enumerate().filter_map(|(index, (act, reply))| {
        let Act::Buy { key, .. } = act else { return None };
        Some((reply.order?, key.clone().unwrap_or_else(|| index.to_string())))
    });
    let told: BTreeSet<(Uuid, String)> = told.collect();
    let orders: BTreeSet<&Uuid> = told.iter().map(|(order, _)| order).collect();
    orders.len() < told.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece::Inside;

    /// Two purchases of one copy, with this key. The first one gets the copy.
    fn flaws(key: Option<&str>, status: u16, order: Option<Uuid>) -> BTreeSet<Flaw> {
        let first = Uuid::from_u128(1);
        let reply = |status, order| Reply { status: Some(status), order, is_unknown: false };
        let purchase = Act::Buy { strategy: None, key: key.map(str::to_owned) };
        let piece = Piece {
            acts: vec![purchase; 2],
            product: Uuid::nil(),
            quantity: 1,
            stock: 1,
            buckets: 0,
            dice: Vec::new(),
            inside: Inside::Never,
            trouble: None,
        };
        let rows = Rows { left: 0, held: 0, orders: BTreeSet::from([first]) };
        Outcome::of(&piece, &[reply(200, Some(first)), reply(status, order)], &rows).flaws
    }

    fn flaws_of_second(status: u16) -> BTreeSet<Flaw> {
        flaws(None, status, None)
    }

    #[test]
    fn one_order_is_told_to_two_requests_only_if_they_come_from_one_buyer() {
        let first = Some(Uuid::from_u128(1));

        assert_eq!(flaws(None, 200, first), BTreeSet::from([Flaw::Dishonest]));
        assert_eq!(flaws(Some("key"), 200, first), BTreeSet::new());
    }

    #[test]
    fn who_is_told_that_there_is_no_such_product_is_told_something_untrue() {
        assert_eq!(flaws_of_second(400), BTreeSet::new());
        assert_eq!(flaws_of_second(409), BTreeSet::new());
        assert_eq!(flaws_of_second(404), BTreeSet::from([Flaw::Dishonest]));
        assert_eq!(flaws_of_second(500), BTreeSet::from([Flaw::Failed]));
    }
}
