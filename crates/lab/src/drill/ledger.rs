//! The ledger: what the buyers of a product were told, against what the database holds. Start with
//! [`Ledger::compare`].

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use uuid::Uuid;

use super::answer::Told;
use super::purchase::{Ending, Purchase};
use crate::check::shop_database::ShopDatabase;

/// "Out of stock" is too early only if a copy was sold more than this later: clocks are read one after the
/// other.
const CLOCK_MARGIN: Duration = Duration::from_millis(1);

/// What is wrong with the sales of a product, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Orders.
    #[serde(rename = "orders")]
    pub sold: usize,
    /// Products of which initial stock - orders isn't the stock (invariant 1).
    pub unconserved: usize,
    /// Orders beyond the copies that were there (2).
    pub oversold: usize,
    /// Buyers who were told "Out of stock" while there was a copy (3).
    pub lost_sales: usize,
    /// Answers without their order, and orders without their answer (4).
    pub dishonest: usize,
    /// Orders that came or went after the last answer (4).
    pub committed_later: usize,
}

/// What the database holds of a product.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Copies left.
    pub left: i64,
    /// Its orders.
    pub orders: BTreeSet<Uuid>,
    /// When the order was written that took the last copy, by our own clock; `None` while copies are left.
    pub last_copy_sold: Option<SystemTime>,
    /// Orders whose buyers have a key, and have asked for no answer any more: those of purchases that were not
    /// carried out, by what the buyers were told.
    pub of_refused_keys: BTreeSet<Uuid>,
    /// The same of purchases whose outcome their buyers don't know.
    pub of_open_keys: BTreeSet<Uuid>,
}

impl Holdings {
    /// Reads what there is of a product that had `stock` copies. `clock_ahead` is by how many seconds the
    /// database's clock is ahead of ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(
        database: &ShopDatabase,
        product: Uuid,
        stock: u32,
        purchases: &[Purchase],
        clock_ahead: f64,
    ) -> anyhow::Result<Self> {
        let keys_of = |ending: Ending| -> Vec<String> {
            let meant = purchases.iter().filter(|purchase| purchase.ending() == ending);
            meant.filter_map(|purchase| purchase.key.clone()).collect()
        };
        let by_our_clock =
            |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds - clock_ahead);
        let rows = database.rows_of_race(product, stock).await?;
        Ok(Self {
            left: rows.left,
            orders: rows.orders.into_iter().collect(),
            last_copy_sold: rows.last_copy_sold.map(by_our_clock),
            of_refused_keys: database.orders_of_keys(&keys_of(Ending::NotCarriedOut)).await?,
            of_open_keys: database.orders_of_keys(&keys_of(Ending::Unknown)).await?,
        })
    }
}

impl Ledger {
    /// Compares all purchases of a product that had `stock` copies with its rows.
    pub fn compare(purchases: &[Purchase], holdings: &Holdings, stock: usize) -> Self {
        let sold = holdings.orders.len();
        Self {
            sold,
            unconserved: usize::from(stock as i64 - sold as i64 != holdings.left),
            oversold: sold.saturating_sub(stock),
            lost_sales: count_lost_sales(purchases, holdings),
            dishonest: count_dishonest(purchases, holdings),
            committed_later: 0,
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.sold += other.sold;
        self.unconserved += other.unconserved;
        self.oversold += other.oversold;
        self.lost_sales += other.lost_sales;
        self.dishonest += other.dishonest;
        self.committed_later += other.committed_later;
    }

    /// The sum of several.
    pub fn sum(ledgers: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        ledgers.into_iter().for_each(|ledger| sum.add(ledger));
        sum
    }
}

/// Without a last copy sold, there was one for everybody at any time.
fn count_lost_sales(purchases: &[Purchase], holdings: &Holdings) -> usize {
    let requests = purchases.iter().flat_map(|purchase| &purchase.requests);
    let refused = requests.filter(|request| request.told == Told::OutOfStock);
    let is_early = |answered_at: SystemTime| match holdings.last_copy_sold {
        Some(sold) => sold > answered_at + CLOCK_MARGIN,
        None => true,
    };
    refused.filter(|request| is_early(request.answered_at)).count()
}

/// An order of nobody who was told so is honest only if its buyer knows that they don't know: without a key,
/// there may be as many of those as there are such buyers; with one, its record names the order.
fn count_dishonest(purchases: &[Purchase], holdings: &Holdings) -> usize {
    let told: BTreeSet<Uuid> = purchases.iter().filter_map(Purchase::order).collect();
    let without_order = told.difference(&holdings.orders).count();
    // Their orders are of nobody too, below, but an open outcome of somebody else mustn't excuse them.
    let of_refused = holdings.of_refused_keys.len();
    let is_explained = |order: &&Uuid| {
        told.contains(order)
            || holdings.of_open_keys.contains(order)
            || holdings.of_refused_keys.contains(order)
    };
    let of_nobody = holdings.orders.iter().filter(|order| !is_explained(order)).count();
    let open_without_key =
        purchases.iter().filter(|purchase| purchase.key.is_none() && purchase.ending() == Ending::Unknown);
    without_order + of_refused + of_nobody.saturating_sub(open_without_key.count())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::answer::Request;
    use super::*;

    const SOLD_OUT: SystemTime = SystemTime::UNIX_EPOCH;

    fn request(told: Told, milliseconds_after: i64) -> Request {
        let begun = SOLD_OUT - Duration::from_secs(1);
        let answered_at = begun + Duration::from_millis((1000 + milliseconds_after) as u64);
        Request { answered_at, ..Request::over(Instant::now(), told, false) }
    }

    fn without_key(told: Told) -> Purchase {
        Purchase { product: Uuid::nil(), key: None, requests: vec![request(told, 5)] }
    }

    fn with_key(told: &[Told]) -> Purchase {
        let requests = told.iter().map(|told| request(told.clone(), 5)).collect();
        Purchase { product: Uuid::nil(), key: Some("a key".to_owned()), requests }
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
            orders: orders.into_iter().map(order).collect(),
            last_copy_sold: (left <= 0).then_some(SOLD_OUT),
            of_refused_keys: BTreeSet::new(),
            of_open_keys: BTreeSet::new(),
        }
    }

    #[test]
    fn right_sales_have_nothing_wrong() {
        let purchases = [
            without_key(sold(1)),
            with_key(&[no_answer(), Told::Conflict, sold(2)]),
            without_key(Told::OutOfStock),
            without_key(Told::NotCarriedOut),
        ];

        let ledger = Ledger::compare(&purchases, &holdings(0, [1, 2]), 2);

        assert_eq!(ledger, Ledger { sold: 2, ..Ledger::default() });
    }

    #[test]
    fn a_copy_that_went_without_an_order_is_not_conserved() {
        let purchases = [without_key(sold(1))];

        assert_eq!(Ledger::compare(&purchases, &holdings(1, [1]), 2).unconserved, 0);
        assert_eq!(Ledger::compare(&purchases, &holdings(0, [1]), 2).unconserved, 1);
        assert_eq!(Ledger::compare(&purchases, &holdings(2, [1]), 2).unconserved, 1);
    }

    #[test]
    fn orders_beyond_the_copies_are_oversold() {
        let purchases = [without_key(sold(1)), without_key(sold(2))];

        assert_eq!(Ledger::compare(&purchases, &holdings(-1, [1, 2]), 1).oversold, 1);
    }

    #[test]
    fn out_of_stock_while_there_is_a_copy_is_a_lost_sale() {
        let told_no = |milliseconds_after| {
            let requests = vec![request(Told::OutOfStock, milliseconds_after)];
            [Purchase { product: Uuid::nil(), key: None, requests }]
        };

        let lost = |milliseconds_after, left| {
            Ledger::compare(&told_no(milliseconds_after), &holdings(left, []), 1).lost_sales
        };
        assert_eq!([lost(-2, 0), lost(0, 0), lost(5, 0)], [1, 0, 0]);
        assert_eq!(lost(5, 1), 1);
    }

    #[test]
    fn a_yes_without_an_order_is_dishonest() {
        assert_eq!(Ledger::compare(&[without_key(sold(1))], &holdings(1, []), 1).dishonest, 1);
    }

    #[test]
    fn each_open_outcome_without_a_key_excuses_one_order_of_nobody() {
        let open = || without_key(Told::OutcomeUnknown);
        let dishonest = |purchases: &[Purchase], orders: &[u128]| {
            Ledger::compare(purchases, &holdings(9, orders.iter().copied()), 9).dishonest
        };

        assert_eq!(dishonest(&[open()], &[]), 0);
        assert_eq!(dishonest(&[open()], &[1]), 0);
        assert_eq!(dishonest(&[open(), without_key(no_answer())], &[1, 2]), 0);
        assert_eq!(dishonest(&[open()], &[1, 2]), 1);
    }

    #[test]
    fn who_was_told_that_it_was_not_carried_out_has_no_order() {
        let told_no = [without_key(Told::NotCarriedOut)];

        assert_eq!(Ledger::compare(&told_no, &holdings(9, [1]), 10).dishonest, 1);
    }

    #[test]
    fn an_order_that_a_keys_record_names_is_excused_only_when_its_buyer_knows_that_they_do_not_know() {
        let purchases = [with_key(&[no_answer()]), without_key(Told::OutcomeUnknown)];
        let open = BTreeSet::from([order(1)]);
        let holdings = holdings(9, [1]);

        let settled_later = Holdings { of_open_keys: open.clone(), ..holdings.clone() };
        let was_told_no = Holdings { of_refused_keys: open, ..holdings.clone() };
        assert_eq!(Ledger::compare(&purchases, &settled_later, 10).dishonest, 0);
        assert_eq!(Ledger::compare(&purchases[..1], &holdings, 10).dishonest, 1);
        // Not even the other buyer's open outcome excuses it.
        assert_eq!(Ledger::compare(&purchases, &was_told_no, 10).dishonest, 1);
    }
}
