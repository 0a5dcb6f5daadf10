//! The ledger of a round: a figure counts only if the rows say the same as the answers. Start with [`read`].

use std::collections::BTreeSet;

use uuid::Uuid;

use super::tally::Tally;
use crate::shop::database::ShopDatabase;
use crate::shop::holdings::Holdings;
use crate::shop::ledger::Ledger;
use crate::wording::counted;

/// Reads the rows of the products, each of which had `stock` copies, and compares them with the answers.
///
/// # Errors
/// When the database fails.
pub async fn read(
    database: &ShopDatabase,
    products: &[Uuid],
    stock: u32,
    tally: &Tally,
) -> anyhow::Result<Ledger> {
    let mut holdings = Vec::with_capacity(products.len());
    for product in products {
        // No time of the rows is compared with ours.
        holdings.push(database.holdings(*product, stock, 0.0).await?);
    }
    Ok(compare(&holdings, stock as usize, tally))
}

/// Each yes must have its order. An order without a yes is right only where a buyer got no clear answer. Nobody may be
/// told "Out of stock" while there are copies.
fn compare(holdings: &[Holdings], stock: usize, tally: &Tally) -> Ledger {
    let told: BTreeSet<Uuid> = tally.orders.iter().copied().collect();
    let written: BTreeSet<Uuid> =
        holdings.iter().flat_map(|holdings| holdings.orders.iter().copied()).collect();
    let open = usize::try_from(tally.errors()).unwrap_or(usize::MAX);
    let untold = written.difference(&told).count().saturating_sub(open);
    let twice = tally.orders.len() - told.len();
    let are_left = holdings.iter().all(|holdings| holdings.left > 0);
    Ledger {
        dishonest: told.difference(&written).count() + untold + twice,
        lost_sales: if are_left { usize::try_from(tally.refused).unwrap_or(usize::MAX) } else { 0 },
        ..Ledger::sum(holdings.iter().map(|holdings| Ledger::of_rows(holdings, stock)))
    }
}

/// Why a round gives no figure; `None` when it gives one.
pub fn flaw(ledger: &Ledger, tally: &Tally) -> Option<String> {
    if ledger.unconserved > 0 {
        Some(format!("initial stock - orders is not the stock of {}", counted(ledger.unconserved, "product")))
    } else if ledger.oversold > 0 {
        Some(format!("{} beyond the stock", counted(ledger.oversold, "order")))
    } else if ledger.dishonest > 0 {
        Some(format!("{} and orders don't fit each other", counted(ledger.dishonest, "answer")))
    } else if ledger.lost_sales > 0 {
        Some(format!("{} \"Out of stock\" while there were copies", counted(ledger.lost_sales, "answer")))
    } else if tally.refused > 0 {
        Some("the stock was too small for this shop: try a shorter round (--seconds)".to_owned())
    } else if tally.orders.is_empty() {
        let what = tally.failures.keys().next().map(|what| format!(": {what}")).unwrap_or_default();
        Some(format!("nothing was sold{what}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::told::Told;

    fn holdings(left: i64, orders: impl IntoIterator<Item = u128>) -> Holdings {
        let orders = orders.into_iter().map(Uuid::from_u128).collect();
        Holdings { left, held: 0, orders, last_copy_sold: None }
    }

    fn tally(orders: impl IntoIterator<Item = u128>) -> Tally {
        Tally { orders: orders.into_iter().map(Uuid::from_u128).collect(), ..Tally::default() }
    }

    fn flaw_of(holdings: &[Holdings], tally: &Tally) -> Option<String> {
        flaw(&compare(holdings, 10, tally), tally)
    }

    #[test]
    fn only_a_round_whose_rows_fit_the_answers_gives_a_figure() {
        assert_eq!(flaw_of(&[holdings(9, [1]), holdings(8, [2, 3])], &tally([1, 2, 3])), None);

        let cases = [
            ("initial stock", holdings(10, [1]), tally([1])),
            ("1 order beyond the stock", holdings(-1, 1..=11), tally(1..=11)),
            ("1 answer and orders", holdings(9, [1]), tally([1, 1])),
            ("1 answer and orders", holdings(9, [1]), tally([])),
            ("2 answers and orders", holdings(9, [1]), tally([2])),
            ("\"Out of stock\" while", holdings(9, [1]), Tally { refused: 1, ..tally([1]) }),
            ("stock was too small", holdings(0, 1..=10), Tally { refused: 1, ..tally(1..=10) }),
            ("nothing was sold", holdings(10, []), tally([])),
        ];
        for (said, holdings, tally) in cases {
            let flaw = flaw_of(&[holdings], &tally).unwrap_or_default();
            assert!(flaw.contains(said), "{said}: {flaw}");
        }
    }

    #[test]
    fn an_order_without_a_yes_is_forgiven_once_for_each_unclear_answer() {
        let mut unclear = tally([1]);
        unclear.note_failure(&Told::OutcomeUnknown);

        assert_eq!(flaw_of(&[holdings(8, [1, 2])], &unclear), None);
        assert!(flaw_of(&[holdings(7, [1, 2, 3])], &unclear).is_some());
    }
}
