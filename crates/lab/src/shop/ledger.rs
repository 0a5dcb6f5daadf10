//! What is wrong with sales: what buyers were told, compared with what the database holds.

use serde::Serialize;

use super::holdings::Holdings;

/// What is wrong with the sales of one product, or of several. The fields have the names that they have in a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Orders.
    #[serde(rename = "orders")]
    pub sold: usize,
    /// Products for which initial stock - orders - holds isn't the stock.
    pub unconserved: usize,
    /// Orders beyond the copies that were there.
    pub oversold: usize,
    /// Buyers who got nothing while there was a copy for them.
    pub lost_sales: usize,
    /// Answers without their order, and orders without their answer.
    pub dishonest: usize,
    /// Orders that came or went after the last answer.
    pub committed_later: usize,
}

impl Ledger {
    /// What the rows alone show of a product that had `stock` copies.
    pub fn of_rows(holdings: &Holdings, stock: usize) -> Self {
        Self {
            sold: holdings.orders.len(),
            unconserved: usize::from(!holdings.are_conserved(stock)),
            oversold: holdings.oversold(stock),
            ..Self::default()
        }
    }

    /// Adds another ledger.
    pub fn add(&mut self, other: Self) {
        self.sold += other.sold;
        self.unconserved += other.unconserved;
        self.oversold += other.oversold;
        self.lost_sales += other.lost_sales;
        self.dishonest += other.dishonest;
        self.committed_later += other.committed_later;
    }

    /// The sum of several ledgers.
    pub fn sum(ledgers: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        ledgers.into_iter().for_each(|ledger| sum.add(ledger));
        sum
    }
}
