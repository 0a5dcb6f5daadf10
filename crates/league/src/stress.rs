//! The judge that most people have: a load test. Fifty clicks on Buy Now at once for one copy, then a crowd of two hundred
//! for ten, and afterwards a look at the stock and at the orders.

use std::collections::BTreeMap;

use flash_sale_lab::shop::client::Shop;
use flash_sale_lab::shop::purchase::Purchase;
use flash_sale_lab::shop::told::Told;
use futures::future::join_all;

use crate::lane::Lane;
use crate::opinion::Opinion;

const CLICKS: usize = 50;
const CROWD: usize = 200;
const COPIES: i64 = 10;

/// What was there after a load.
struct Aftermath {
    stock: i64,
    left: i64,
    orders: i64,
    /// The answers, each with how often it was given.
    answers: BTreeMap<String, usize>,
    /// Whether somebody was told "Out of stock".
    was_refused: bool,
}

/// Loads the running variant.
///
/// # Errors
/// When the shop can't be reset, or can't be read.
pub async fn load(lane: &Lane) -> anyhow::Result<Opinion> {
    let shop = lane.visitor().await?;
    shop.reset().await?;
    let clicks = join_all((0..CLICKS).map(|_| shop.click())).await;
    let mut answers = BTreeMap::new();
    let mut note = |answer: String| *answers.entry(answer).or_default() += 1;
    for click in clicks {
        match click {
            Ok(attempts) => attempts.into_iter().for_each(|attempt| note(attempt.status)),
            Err(error) => note(error.to_string()),
        }
    }
    let was_refused = answers.keys().any(|answer| answer.starts_with("400"));
    let clicked = look(&shop, 1, answers, was_refused).await?;

    shop.reset().await?;
    lane.run(&["psql", "--", "-qc", &format!("UPDATE products SET quantity = {COPIES}")]).await?;
    let product = shop.featured_product().await?.id;
    let mut purchases: Vec<Purchase> = (0..CROWD).map(|_| Purchase::new(product, None, None)).collect();
    join_all(purchases.iter_mut().map(|purchase| purchase.ask(&shop))).await;
    let mut answers = BTreeMap::new();
    for request in purchases.iter().flat_map(|purchase| &purchase.requests) {
        *answers.entry(request.what_came_back()).or_default() += 1;
    }
    let is_refusal = |purchase: &Purchase| purchase.requests.iter().any(|it| it.told == Told::OutOfStock);
    let was_refused = purchases.iter().any(is_refusal);
    let crowded = look(&shop, COPIES, answers, was_refused).await?;
    shop.reset().await?;
    Ok(judge(&[clicked, crowded]))
}

async fn look(
    shop: &Shop,
    stock: i64,
    answers: BTreeMap<String, usize>,
    was_refused: bool,
) -> anyhow::Result<Aftermath> {
    let product = shop.featured_product().await?;
    let orders = i64::try_from(shop.orders_of(product.id).await?.len())?;
    Ok(Aftermath { stock, left: product.quantity, orders, answers, was_refused })
}

fn judge(loads: &[Aftermath]) -> Opinion {
    let mut seen = Vec::new();
    for Aftermath { stock, left, orders, answers, was_refused } in loads {
        if orders > stock {
            seen.push(format!("{orders} orders of {stock} copies"));
        }
        if stock - orders != *left {
            seen.push(format!("{orders} orders of {stock} copies, stock {left}"));
        }
        if orders < stock && *was_refused {
            seen.push(format!("\"Out of stock\" after {orders} of {stock} copies"));
        }
        let is_fair = |answer: &str| ["200", "400", "409"].iter().any(|status| answer.starts_with(status));
        seen.extend(
            answers
                .iter()
                .filter(|(answer, _)| !is_fair(answer))
                .map(|(answer, count)| format!("{count} × {answer}")),
        );
    }
    if seen.is_empty() { Opinion::Right } else { Opinion::Wrong(seen.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(orders: i64, left: i64, answer: &str, was_refused: bool) -> Opinion {
        let answers = BTreeMap::from([("200 OK".to_owned(), 1), (answer.to_owned(), 49)]);
        judge(&[Aftermath { stock: 10, left, orders, answers, was_refused }])
    }

    #[test]
    fn a_load_shows_too_many_orders_lost_copies_lost_sales_and_failures() {
        assert_eq!(after(10, 0, "400 Bad Request", true), Opinion::Right);
        assert_eq!(after(3, 7, "409 Conflict", false), Opinion::Right, "they may come back");
        for (opinion, seen) in [
            (after(11, -1, "400", true), "11 orders of 10 copies"),
            (after(10, 1, "400", true), "stock 1"),
            (after(9, 1, "400", true), "\"Out of stock\" after 9"),
            (after(10, 0, "503 Service Unavailable", true), "49 × 503"),
            (after(10, 0, "no answer", true), "49 × no answer"),
        ] {
            assert!(matches!(&opinion, Opinion::Wrong(said) if said.contains(seen)), "{opinion:?}");
        }
    }
}
