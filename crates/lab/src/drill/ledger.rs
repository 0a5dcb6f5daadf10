//! The ledger of a drill. It compares what the buyers of a product were told with what the database holds. Start with
//! [`compare`].

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::shop::database::ShopDatabase;
use crate::shop::holdings::Holdings;
use crate::shop::ledger::Ledger;
use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;

/// Orders that the shop has recorded for a key, although its buyer has not learned of the order and doesn't ask any
/// more.
#[derive(Clone, Debug, Default)]
pub struct OrdersOfKeys {
    /// Orders whose buyers were told that the purchase was not carried out.
    pub refused: BTreeSet<Uuid>,
    /// Orders whose buyers don't know the outcome of the purchase.
    pub open: BTreeSet<Uuid>,
}

impl OrdersOfKeys {
    /// Reads the orders of the keys of `purchases`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(database: &ShopDatabase, purchases: &[Purchase]) -> anyhow::Result<Self> {
        Ok(Self {
            refused: database.orders_of_keys(&keys_of(purchases, &PurchaseEnding::NotCarriedOut)).await?,
            open: database.orders_of_keys(&keys_of(purchases, &PurchaseEnding::Unknown)).await?,
        })
    }
}

/// The keys of the purchases that ended in this way.
pub fn keys_of(purchases: &[Purchase], ending: &PurchaseEnding) -> Vec<String> {
    let meant = purchases.iter().filter(|purchase| purchase.ending() == *ending);
    meant.filter_map(|purchase| purchase.key.clone()).collect()
}

/// Compares all purchases of a product with its rows. `stock` is the number of copies at the beginning.
pub fn compare(purchases: &[Purchase], holdings: &Holdings, keys: &OrdersOfKeys, stock: usize) -> Ledger {
    Ledger {
        lost_sales: count_lost_sales(purchases, holdings),
        dishonest: count_dishonest(purchases, holdings, keys),
        ..Ledger::of_rows(holdings, stock)
    }
}

/// Counts the buyers who were told "Out of stock" before the last copy was sold. If the last copy was never sold,
/// this is true of every buyer who was told so.
fn count_lost_sales(purchases: &[Purchase], holdings: &Holdings) -> usize {
    let requests = purchases.iter().flat_map(|purchase| &purchase.requests);
    let refused = requests.filter(|request| request.told == Told::OutOfStock);
    refused.filter(|request| holdings.last_copy_sold_after(request.answered_at).unwrap_or(true)).count()
}

/// Counts answers without their order, and orders without their answer. Some orders are honest although no buyer was
/// told of them: their buyer knows that the outcome is unknown. Without a key, each such buyer excuses one order.
/// With a key, the buyer excuses only the order that the key's record names.
fn count_dishonest(purchases: &[Purchase], holdings: &Holdings, keys: &OrdersOfKeys) -> usize {
    let told: BTreeSet<Uuid> = purchases.iter().filter_map(Purchase::order).collect();
    let without_order = told.difference(&holdings.orders).count();
    // These orders are counted by themselves: nobody was told of them either, but another buyer's unknown outcome
    // must not excuse them.
    let of_refused = keys.refused.len();
    let is_explained =
        |order: &&Uuid| told.contains(order) || keys.open.contains(order) || keys.refused.contains(order);
    let of_nobody = holdings.orders.iter().filter(|order| !is_explained(order)).count();
    let open_without_key = purchases
        .iter()
        .filter(|purchase| purchase.key.is_none() && purchase.ending() == PurchaseEnding::Unknown);
    without_order + of_refused + of_nobody.saturating_sub(open_without_key.count())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::shop::buy_request::BuyRequest;

    const SOLD_OUT: SystemTime = SystemTime::UNIX_EPOCH;

    fn request(told: Told, milliseconds_after: i64) -> BuyRequest {
        let begun = SOLD_OUT - Duration::from_secs(1);
        let answered_at = begun + Duration::from_millis((1000 + milliseconds_after) as u64);
        BuyRequest { answered_at, ..BuyRequest::over(Instant::now(), told, Err(String::new())) }
    }

    fn without_key(told: Told) -> Purchase {
        Purchase { requests: vec![request(told, 5)], ..Purchase::new(Uuid::nil(), None, None) }
    }

    fn with_key(told: &[Told]) -> Purchase {
        let requests = told.iter().map(|told| request(told.clone(), 5)).collect();
        Purchase { requests, ..Purchase::new(Uuid::nil(), None, Some("a key".to_owned())) }
    }

    fn no_answer() -> Told {
        Told::NoAnswer("connection closed".to_owned())
    }

    fn order(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn sold(number: u128) -> Told {
        Told::Sold(order(number))
    }

    fn holdings(left: i64, orders: impl IntoIterator<Item = u128>) -> Holdings {
        Holdings {
            left,
            held: 0,
            orders: orders.into_iter().map(order).collect(),
            last_copy_sold: (left <= 0).then_some(SOLD_OUT),
        }
    }

    fn compare_rows(purchases: &[Purchase], holdings: &Holdings, stock: usize) -> Ledger {
        compare(purchases, holdings, &OrdersOfKeys::default(), stock)
    }

    #[test]
    fn right_sales_have_nothing_wrong() {
        let purchases = [
            without_key(sold(1)),
            with_key(&[no_answer(), Told::Conflict, sold(2)]),
            without_key(Told::OutOfStock),
            without_key(Told::NotCarriedOut),
        ];

        let ledger = compare_rows(&purchases, &holdings(0, [1, 2]), 2);

        assert_eq!(ledger, Ledger { sold: 2, ..Ledger::default() });
    }

    #[test]
    fn a_copy_that_went_without_an_order_is_not_conserved() {
        let purchases = [without_key(sold(1))];

        assert_eq!(compare_rows(&purchases, &holdings(1, [1]), 2).unconserved, 0);
        assert_eq!(compare_rows(&purchases, &holdings(0, [1]), 2).unconserved, 1);
        assert_eq!(compare_rows(&purchases, &holdings(2, [1]), 2).unconserved, 1);
        let held = Holdings { held: 1, ..holdings(0, [1]) };
        assert_eq!(compare_rows(&purchases, &held, 2).unconserved, 0);
        assert_eq!(compare_rows(&purchases, &held, 1).unconserved, 1);
    }

    #[test]
    fn orders_beyond_the_copies_are_oversold() {
        let purchases = [without_key(sold(1)), without_key(sold(2))];

        assert_eq!(compare_rows(&purchases, &holdings(-1, [1, 2]), 1).oversold, 1);
    }

    #[test]
    fn out_of_stock_while_there_is_a_copy_is_a_lost_sale() {
        let told_no = |milliseconds_after| {
            let requests = vec![request(Told::OutOfStock, milliseconds_after)];
            [Purchase { requests, ..Purchase::new(Uuid::nil(), None, None) }]
        };

        let lost = |milliseconds_after, left| {
            compare_rows(&told_no(milliseconds_after), &holdings(left, []), 1).lost_sales
        };
        assert_eq!([lost(-2, 0), lost(0, 0), lost(5, 0)], [1, 0, 0]);
        assert_eq!(lost(5, 1), 1);
    }

    #[test]
    fn a_yes_without_an_order_is_dishonest() {
        assert_eq!(compare_rows(&[without_key(sold(1))], &holdings(1, []), 1).dishonest, 1);
    }

    #[test]
    fn each_open_outcome_without_a_key_excuses_one_order_of_nobody() {
        let open = || without_key(Told::OutcomeUnknown);
        let dishonest = |purchases: &[Purchase], orders: &[u128]| {
            compare_rows(purchases, &holdings(9, orders.iter().copied()), 9).dishonest
        };

        assert_eq!(dishonest(&[open()], &[]), 0);
        assert_eq!(dishonest(&[open()], &[1]), 0);
        assert_eq!(dishonest(&[open(), without_key(no_answer())], &[1, 2]), 0);
        assert_eq!(dishonest(&[open()], &[1, 2]), 1);
    }

    #[test]
    fn who_was_told_that_it_was_not_carried_out_has_no_order() {
        let told_no = [without_key(Told::NotCarriedOut)];

        assert_eq!(compare_rows(&told_no, &holdings(9, [1]), 10).dishonest, 1);
    }

    #[test]
    fn an_order_that_a_keys_record_names_is_excused_only_when_its_buyer_knows_that_they_do_not_know() {
        let purchases = [with_key(&[no_answer()]), without_key(Told::OutcomeUnknown)];
        let open = BTreeSet::from([order(1)]);
        let holdings = holdings(9, [1]);

        let settled_later = OrdersOfKeys { open: open.clone(), ..OrdersOfKeys::default() };
        let was_told_no = OrdersOfKeys { refused: open, ..OrdersOfKeys::default() };
        assert_eq!(compare(&purchases, &holdings, &settled_later, 10).dishonest, 0);
        assert_eq!(compare_rows(&purchases[..1], &holdings, 10).dishonest, 1);
        // The other buyer's unknown outcome doesn't excuse it either.
        assert_eq!(compare(&purchases, &holdings, &was_told_no, 10).dishonest, 1);
    }
}
