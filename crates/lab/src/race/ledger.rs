//! The ledger of a round. It compares what the buyers were told with what the database holds. Start with [`read`].

use std::collections::BTreeSet;

use uuid::Uuid;

use super::crowd::RaceRound;
use super::options::RaceOptions;
use crate::shop::buy_request::BuyRequest;
use crate::shop::database::ShopDatabase;
use crate::shop::holdings::Holdings;
use crate::shop::ledger::Ledger;
use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;

/// Reads the rows of the round's product, and compares them with the answers. `clock_ahead` says by how many seconds
/// the database's clock is ahead of ours.
///
/// # Errors
/// When the database fails.
pub async fn read(
    round: &RaceRound,
    database: &ShopDatabase,
    clock_ahead: f64,
    options: &RaceOptions,
) -> anyhow::Result<Ledger> {
    let holdings = database.holdings(round.product, options.stock, clock_ahead).await?;
    Ok(compare(&round.purchases, &holdings, options.stock as usize, options.retry))
}

/// Counts lost sales and dishonest answers. A sale is lost when a copy is left although a buyer went home without one
/// (unless buyers may not even try again). A sale is also lost when a buyer was told "Out of stock" before the last
/// copy was sold. The larger of the two counts is taken. An answer is dishonest when a buyer was told yes and has no
/// order. So is an order of which no buyer was told.
fn compare(purchases: &[Purchase], holdings: &Holdings, stock: usize, retry: bool) -> Ledger {
    let told: BTreeSet<Uuid> = purchases.iter().filter_map(Purchase::order).collect();
    // A buyer who may not try again has given up the copy. The shop has not denied it to them.
    let has_given_up = |purchase: &Purchase| !retry && purchase.ending() == PurchaseEnding::NotCarriedOut;
    let is_empty_handed = |purchase: &&Purchase| purchase.order().is_none() && !has_given_up(purchase);
    let empty_handed = purchases.iter().filter(is_empty_handed).count();
    let left_over = usize::try_from(holdings.unsold()).unwrap_or(0).min(empty_handed);
    let refused = purchases
        .iter()
        .flat_map(|purchase| &purchase.requests)
        .filter(|request| request.told == Told::OutOfStock);
    let is_early = |request: &&BuyRequest| holdings.last_copy_sold_after(request.answered_at) == Some(true);
    let told_too_early = refused.filter(is_early).count();
    Ledger {
        lost_sales: left_over.max(told_too_early),
        dishonest: told.symmetric_difference(&holdings.orders).count(),
        ..Ledger::of_rows(holdings, stock)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;

    const SOLD_OUT: SystemTime = SystemTime::UNIX_EPOCH;

    fn purchase(told: Told, milliseconds_after: u64) -> Purchase {
        let answered_at = SOLD_OUT - Duration::from_millis(100) + Duration::from_millis(milliseconds_after);
        let request =
            BuyRequest { answered_at, ..BuyRequest::over(Instant::now(), told, Err(String::new())) };
        Purchase { requests: vec![request], ..Purchase::new(Uuid::nil(), None, None) }
    }

    fn order(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn holdings(left: i64, orders: impl IntoIterator<Item = u128>) -> Holdings {
        let last_copy_sold = (left <= 0).then_some(SOLD_OUT);
        Holdings { left, held: 0, orders: orders.into_iter().map(order).collect(), last_copy_sold }
    }

    fn compare(purchases: &[Purchase], holdings: &Holdings, stock: usize) -> Ledger {
        super::compare(purchases, holdings, stock, true)
    }

    #[test]
    fn a_right_round_has_nothing_wrong() {
        let purchases = [purchase(Told::Sold(order(1)), 90), purchase(Told::OutOfStock, 103)];

        let ledger = compare(&purchases, &holdings(0, [1]), 1);

        assert_eq!(ledger, Ledger { sold: 1, ..Ledger::default() });
    }

    #[test]
    fn orders_beyond_the_stock_are_oversold() {
        let purchases = [purchase(Told::Sold(order(1)), 90), purchase(Told::Sold(order(2)), 90)];

        let ledger = compare(&purchases, &holdings(-1, [1, 2]), 1);

        assert_eq!(ledger, Ledger { sold: 2, oversold: 1, ..Ledger::default() });
    }

    #[test]
    fn copies_left_that_buyers_wanted_are_lost_sales() {
        let sold = || purchase(Told::Sold(order(1)), 90);
        let told_no = || purchase(Told::OutOfStock, 80);
        let gave_up = || purchase(Told::NotCarriedOut, 90);
        let lost = |purchases: &[Purchase], left: i64| {
            compare(purchases, &holdings(left, [1]), left as usize + 1).lost_sales
        };

        assert_eq!(lost(&[sold(), told_no(), gave_up()], 5), 2);
        assert_eq!(lost(&[sold(), told_no(), gave_up()], 1), 1);
        assert_eq!(lost(&[sold()], 5), 0);
        assert_eq!(lost(&[sold(), gave_up()], 0), 0);
    }

    #[test]
    fn who_may_not_try_again_loses_no_sale_by_giving_up() {
        let purchases = [purchase(Told::NotCarriedOut, 90), purchase(Told::OutOfStock, 90)];

        assert_eq!(super::compare(&purchases, &holdings(5, []), 5, true).lost_sales, 2);
        assert_eq!(super::compare(&purchases, &holdings(5, []), 5, false).lost_sales, 1);
    }

    #[test]
    fn out_of_stock_before_the_last_copy_was_sold_is_a_lost_sale() {
        let lost = |milliseconds_after| {
            let purchases =
                [purchase(Told::Sold(order(1)), 104), purchase(Told::OutOfStock, milliseconds_after)];
            compare(&purchases, &holdings(0, [1]), 1).lost_sales
        };

        assert_eq!(lost(98), 1);
        assert_eq!(lost(100), 0);
        assert_eq!(lost(102), 0);
    }

    #[test]
    fn an_order_of_nobody_and_a_yes_without_an_order_are_dishonest() {
        let purchases = [purchase(Told::Sold(order(1)), 90), purchase(Told::NotCarriedOut, 90)];

        assert_eq!(compare(&purchases, &holdings(0, [1]), 1).dishonest, 0);
        assert_eq!(compare(&purchases, &holdings(0, [2]), 1).dishonest, 2);
        assert_eq!(compare(&purchases, &holdings(0, []), 0).dishonest, 1);
    }

    #[test]
    fn a_copy_without_an_order_is_not_conserved() {
        let purchases = [purchase(Told::Sold(order(1)), 90)];

        assert_eq!(compare(&purchases, &holdings(1, [1]), 2).unconserved, 0);
        assert_eq!(compare(&purchases, &holdings(0, [1]), 2).unconserved, 1);
    }

    #[test]
    fn a_copy_that_is_held_is_not_lost_yet_but_nobody_who_wanted_one_may_go_without() {
        let purchases = [purchase(Told::Sold(order(1)), 90), purchase(Told::Conflict, 90)];
        let held = Holdings { held: 1, ..holdings(0, [1]) };

        let ledger = compare(&purchases, &held, 2);

        assert_eq!((ledger.unconserved, ledger.lost_sales), (0, 1));
        assert_eq!(compare(&purchases, &held, 1).unconserved, 1);
    }
}
