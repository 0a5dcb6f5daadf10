//! The books of a round: what its buyers were told, against what the database holds.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::buyer::{Buyer, Ending};
use super::crowd::Round;
use super::options::Options;
use crate::shop::database::ShopDatabase;

/// "Out of stock" is too early only if a copy was sold more than this later: clocks are read one after the
/// other.
const CLOCK_MARGIN: Duration = Duration::from_millis(1);

/// What is wrong in a round, if anything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Orders.
    pub sold: usize,
    /// Orders beyond the copies that were there.
    pub oversold: usize,
    /// Copies that are left although buyers went home without (unless they may not even try again), or buyers
    /// who were told "Out of stock" before the last copy was sold: whichever are more.
    pub lost_sales: usize,
    /// Buyers who were told yes and have no order, and orders of nobody who was told yes.
    pub dishonest: usize,
    /// Whether initial stock - orders = stock.
    pub is_conserved: bool,
}

/// What the database holds of a product.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Copies left.
    pub left: i64,
    /// Its orders.
    pub orders: BTreeSet<Uuid>,
    /// When the order was written that took the last copy, by our own clock; `None` while copies are left.
    /// The copy was in stock until then and, because its transaction had yet to commit, a little longer.
    pub last_copy_sold: Option<SystemTime>,
}

impl Books {
    /// Reads the rows of the round's product, and compares. `clock_ahead` is by how many seconds the
    /// database's clock is ahead of ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(
        round: &Round,
        database: &ShopDatabase,
        clock_ahead: f64,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let rows = database.rows_of_race(round.product, options.stock).await?;
        let by_our_clock =
            |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds - clock_ahead);
        let holdings = Holdings {
            left: rows.left,
            orders: rows.orders.into_iter().collect(),
            last_copy_sold: rows.last_copy_sold.map(by_our_clock),
        };
        Ok(Self::compare(&round.buyers, &holdings, options.stock as usize, options.retry))
    }

    fn compare(buyers: &[Buyer], holdings: &Holdings, stock: usize, retry: bool) -> Self {
        let told: BTreeSet<Uuid> = buyers.iter().filter_map(Buyer::order).collect();
        let sold = holdings.orders.len();
        // Who may not try again has given up a copy, rather than been denied it.
        let is_empty_handed =
            |buyer: &&Buyer| buyer.order().is_none() && (retry || buyer.ending != Ending::GaveUp);
        let empty_handed = buyers.iter().filter(is_empty_handed).count();
        let left_over = usize::try_from(holdings.left).unwrap_or(0).min(empty_handed);
        let is_early = |buyer: &&Buyer| {
            buyer.ending == Ending::OutOfStock
                && holdings.last_copy_sold.is_some_and(|sold| sold > buyer.answered + CLOCK_MARGIN)
        };
        let told_too_early = buyers.iter().filter(is_early).count();
        Self {
            sold,
            oversold: sold.saturating_sub(stock),
            lost_sales: left_over.max(told_too_early),
            dishonest: told.symmetric_difference(&holdings.orders).count(),
            is_conserved: stock as i64 - sold as i64 == holdings.left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLD_OUT: SystemTime = SystemTime::UNIX_EPOCH;

    fn buyer(ending: Ending, milliseconds_after: u64) -> Buyer {
        let answered = SOLD_OUT - Duration::from_millis(100) + Duration::from_millis(milliseconds_after);
        let took = Duration::from_millis(5);
        Buyer { ending, answered, took, requests: 1, conflicts: 0, busy: 0, served_by: String::new() }
    }

    fn order(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn holdings(left: i64, orders: impl IntoIterator<Item = u128>) -> Holdings {
        let last_copy_sold = (left <= 0).then_some(SOLD_OUT);
        Holdings { left, orders: orders.into_iter().map(order).collect(), last_copy_sold }
    }

    fn compare(buyers: &[Buyer], holdings: &Holdings, stock: usize) -> Books {
        Books::compare(buyers, holdings, stock, true)
    }

    #[test]
    fn a_right_round_has_nothing_wrong() {
        let buyers = [buyer(Ending::Sold(order(1)), 90), buyer(Ending::OutOfStock, 103)];

        let books = compare(&buyers, &holdings(0, [1]), 1);

        assert_eq!(books, Books { sold: 1, is_conserved: true, ..Books::default() });
    }

    #[test]
    fn orders_beyond_the_stock_are_oversold() {
        let buyers = [buyer(Ending::Sold(order(1)), 90), buyer(Ending::Sold(order(2)), 90)];

        let books = compare(&buyers, &holdings(-1, [1, 2]), 1);

        assert_eq!(books, Books { sold: 2, oversold: 1, is_conserved: true, ..Books::default() });
    }

    #[test]
    fn copies_left_that_buyers_wanted_are_lost_sales() {
        let sold = || buyer(Ending::Sold(order(1)), 90);
        let told_no = || buyer(Ending::OutOfStock, 80);
        let gave_up = || buyer(Ending::GaveUp, 90);
        let lost =
            |buyers: &[Buyer], left: i64| compare(buyers, &holdings(left, [1]), left as usize + 1).lost_sales;

        assert_eq!(lost(&[sold(), told_no(), gave_up()], 5), 2);
        assert_eq!(lost(&[sold(), told_no(), gave_up()], 1), 1);
        assert_eq!(lost(&[sold()], 5), 0);
        assert_eq!(lost(&[sold(), gave_up()], 0), 0);
    }

    #[test]
    fn who_may_not_try_again_loses_no_sale_by_giving_up() {
        let buyers = [buyer(Ending::GaveUp, 90), buyer(Ending::OutOfStock, 90)];

        assert_eq!(Books::compare(&buyers, &holdings(5, []), 5, true).lost_sales, 2);
        assert_eq!(Books::compare(&buyers, &holdings(5, []), 5, false).lost_sales, 1);
    }

    #[test]
    fn out_of_stock_before_the_last_copy_was_sold_is_a_lost_sale() {
        let lost = |milliseconds_after| {
            let buyers = [buyer(Ending::Sold(order(1)), 104), buyer(Ending::OutOfStock, milliseconds_after)];
            compare(&buyers, &holdings(0, [1]), 1).lost_sales
        };

        assert_eq!(lost(98), 1);
        assert_eq!(lost(100), 0);
        assert_eq!(lost(102), 0);
    }

    #[test]
    fn an_order_of_nobody_and_a_yes_without_an_order_are_dishonest() {
        let buyers = [buyer(Ending::Sold(order(1)), 90), buyer(Ending::GaveUp, 90)];

        assert_eq!(compare(&buyers, &holdings(0, [1]), 1).dishonest, 0);
        assert_eq!(compare(&buyers, &holdings(0, [2]), 1).dishonest, 2);
        assert_eq!(compare(&buyers, &holdings(0, []), 0).dishonest, 1);
    }

    #[test]
    fn a_copy_without_an_order_is_not_conserved() {
        let buyers = [buyer(Ending::Sold(order(1)), 90)];

        assert!(compare(&buyers, &holdings(1, [1]), 2).is_conserved);
        assert!(!compare(&buyers, &holdings(0, [1]), 2).is_conserved);
    }
}
