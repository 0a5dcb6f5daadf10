//! The books: what buyers were told, what the API shows and what the database holds must be the same story.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Check;
use super::crowd::Sale;
use super::one_click::OneClick;
use super::purchase::{Outcome, Purchase};

/// Initial stock − orders = stock, after each click and each sale, in the API as in the database.
pub fn judge_conservation(clicks: &OneClick, sales: &[Sale]) -> Check {
    let is_kept = |stock: usize, orders: usize, left: i64| stock as i64 - orders as i64 == left;
    let broken_clicks = clicks.rounds.iter().filter(|round| !is_kept(1, round.sold_by.len(), round.quantity));
    let broken_sales = sales.iter().filter(|sale| {
        !is_kept(sale.stock, sale.orders.len(), sale.left)
            || sale.left != sale.left_shown
            || sale.orders != sale.orders_shown
    });
    let broken = broken_clicks.count() + broken_sales.count();

    let all = clicks.rounds.len() + sales.len();
    let seen = format!("initial stock - orders = stock in {} of {all} sales", all - broken);
    let meaning = "An order is there without its copy, or a copy is gone without an order. Look at whether each \
                   purchase changes both, and whether each change did what it was meant to.";
    Check::new("conservation", broken == 0, seen, meaning)
}

/// Each 200 has its order, and no other answer has one, however late one looks.
pub fn judge_answers(clicks: &OneClick, sales: &[Sale]) -> Check {
    let mut broken = 0;
    for round in &clicks.rounds {
        let told = round.attempts.iter().filter(|attempt| attempt.status_code() == Some(200)).count();
        broken += told.abs_diff(round.sold_by.len());
    }
    for sale in sales {
        let told: BTreeSet<Uuid> = sale.purchases.iter().filter_map(Purchase::order).collect();
        broken += told.symmetric_difference(&sale.orders).count();
    }

    let seen = match broken {
        0 => "each buyer who was told yes has an order, and nobody else".to_owned(),
        _ => format!("{broken} orders and answers don't fit each other"),
    };
    let meaning = "Buyers were told something else than what the database holds. Look at what create_order \
                   answers when one of its statements fails or has no effect.";
    Check::new("honest answers", broken == 0, seen, meaning)
}

/// While copies remain, nobody is told "Out of stock": `sale` had one for each buyer.
pub fn judge_lost_sales(sale: &Sale, others: &[Sale]) -> Check {
    let is_left_over = |sale: &&Sale| sale.orders.len() < sale.stock;
    let lost = |sale: &Sale| sale.count(&Outcome::OutOfStock);
    let refused = lost(sale) + others.iter().filter(is_left_over).map(lost).sum::<usize>();

    let sold = sale.orders.len();
    let others = sale.buyers.saturating_sub(sold + lost(sale));
    let mut seen = format!("{} copies for {} buyers: {sold} sold", sale.stock, sale.buyers);
    if refused > 0 {
        seen.push_str(&format!(", {refused} buyers told \"Out of stock\" too early"));
    }
    if others > 0 {
        seen.push_str(&format!(", {others} gave up or met a failure"));
    }
    let meaning = "Buyers were sent away while there were copies for them. Look at when create_order says that \
                   there are none, and what a buyer can do who was only too slow.";
    Check::new("no lost sale", refused == 0 && sold >= sale.stock, seen, meaning)
}
