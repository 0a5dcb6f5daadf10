//! The shop's own book, while it is bought and reset at the same time. Each reset deletes orders of buyers who were
//! told yes. So this ledger can't compare order with order, as the ledger of other products does. It counts orders:
//! each reset says how many it deleted.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::shop::database::Rows;
use crate::shop::ledger::Ledger;
use crate::shop::purchase::{Purchase, PurchaseEnding};

/// The stock after a reset.
const STOCK: i64 = 1;

/// What was seen of the book while it was reset.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// Orders that the resets said they had deleted.
    pub deleted: usize,
    /// Moments at which the stock was not the initial stock minus the orders and the holds.
    pub unconserved: usize,
    /// The largest number of orders beyond the one copy that was seen at one moment.
    pub oversold: usize,
    /// Answers that a reset should not get.
    pub failed_resets: Vec<String>,
}

impl Sightings {
    /// Notes the rows of one more moment.
    pub fn note(&mut self, rows: &Rows) {
        let orders = rows.orders.len() as i64;
        self.unconserved += usize::from(STOCK - orders - rows.held != rows.quantity);
        self.oversold = self.oversold.max(usize::try_from(orders - STOCK).unwrap_or_default());
    }

    /// Sums up. `rows` are the rows of the book after all buyers have gone home. `of_refused_keys` are the orders
    /// that are recorded for buyers who were told that they have none. The ledger can't say that an "Out of stock"
    /// came too early: nobody sees a copy between two resets.
    pub fn ledger(mut self, purchases: &[Purchase], rows: &Rows, of_refused_keys: &BTreeSet<Uuid>) -> Ledger {
        self.note(rows);
        let told: BTreeSet<Uuid> = purchases.iter().filter_map(Purchase::order).collect();
        let open = purchases.iter().filter(|purchase| purchase.ending() == PurchaseEnding::Unknown).count();
        let made = self.deleted + rows.orders.len();
        let without_order = told.len().saturating_sub(made);
        let of_nobody = made.saturating_sub(told.len() + open);
        Ledger {
            sold: made,
            unconserved: self.unconserved,
            oversold: self.oversold,
            dishonest: without_order + of_nobody + of_refused_keys.len(),
            ..Ledger::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::shop::buy_request::BuyRequest;
    use crate::shop::told::Told;

    fn purchase(told: Told) -> Purchase {
        let requests = vec![BuyRequest::over(Instant::now(), told, Err(String::new()))];
        Purchase { requests, ..Purchase::new(Uuid::nil(), None, None) }
    }

    fn rows(quantity: i64, orders: &[u128]) -> Rows {
        Rows { quantity, held: 0, orders: orders.iter().map(|order| Uuid::from_u128(*order)).collect() }
    }

    fn ledger(deleted: usize, told: &[Told], at_last: &Rows) -> Ledger {
        let purchases: Vec<Purchase> = told.iter().cloned().map(purchase).collect();
        Sightings { deleted, ..Sightings::default() }.ledger(&purchases, at_last, &BTreeSet::new())
    }

    #[test]
    fn each_yes_has_an_order_that_is_there_or_was_deleted() {
        let told = [1, 2, 3].map(|order| Told::Sold(Uuid::from_u128(order)));

        assert_eq!(ledger(2, &told, &rows(0, &[3])), Ledger { sold: 3, ..Ledger::default() });
        assert_eq!(ledger(1, &told, &rows(0, &[3])).dishonest, 1);
        assert_eq!(ledger(3, &told, &rows(0, &[3])).dishonest, 1);
    }

    #[test]
    fn an_open_outcome_excuses_an_order_of_nobody() {
        let told = [Told::OutcomeUnknown, Told::NotCarriedOut];

        assert_eq!(ledger(1, &told, &rows(1, &[])).dishonest, 0);
        assert_eq!(ledger(1, &told[1..], &rows(1, &[])).dishonest, 1);
    }

    #[test]
    fn what_the_original_does_is_neither_conserved_nor_within_the_stock() {
        // Two orders, and a stock of 1.
        let ledger = ledger(0, &[1, 2].map(|order| Told::Sold(Uuid::from_u128(order))), &rows(1, &[1, 2]));

        assert_eq!((ledger.unconserved, ledger.oversold), (1, 1));
    }
}
