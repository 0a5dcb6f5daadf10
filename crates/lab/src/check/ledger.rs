//! Compares three accounts of the sales: what buyers were told, what the API shows, and what the database holds. They
//! must agree.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::crowd::Sale;
use super::one_click::OneClick;
use super::part::Part;
use super::verdict::Check;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;
use crate::wording::counted;

/// Conservation: no copy appears or disappears. After each click and each sale, initial stock − orders = stock, in the
/// API and in the database.
pub fn judge_conservation(clicks: &OneClick, sales: &[&Sale]) -> Check {
    let is_kept = |stock: usize, orders: usize, left: i64| stock as i64 - orders as i64 == left;
    let broken_clicks = clicks.rounds.iter().filter(|round| !is_kept(1, round.sold_by.len(), round.quantity));
    let broken_sales = sales.iter().filter(|sale| {
        !is_kept(sale.stock, sale.orders.len(), sale.left)
            || sale.shown.as_ref().is_ok_and(|shown| sale.left != shown.left || sale.orders != shown.orders)
    });
    let broken = broken_clicks.count() + broken_sales.count();

    let all = clicks.rounds.len() + sales.len();
    let mut seen = format!("initial stock - orders = stock in {} of {}", all - broken, counted(all, "sale"));
    let unseen = sales.iter().find_map(|sale| sale.shown.as_ref().err());
    if let Some(reason) = unseen {
        seen.push_str(&format!("; the API's account of a sale could not be read: {reason}"));
    }
    if all == 0 {
        return Check::left_out("conservation", "no sale could be made and looked at");
    }
    if broken == 0 && unseen.is_some() {
        let meaning = "The API doesn't say what was sold. See what it says instead: make logs.";
        return Check::new("conservation", false, seen, meaning).after_failure(true);
    }
    let meaning = "An order is there without its copy, or a copy is gone without an order.";
    Check::new("conservation", broken == 0, seen, meaning).at(
        "Look at whether each purchase in create_order changes both, and whether each change did what it was meant to.",
    )
}

/// Honest answers: each 200 has its order, and no other answer has one, also when one looks later.
pub fn judge_answers(clicks: &OneClick, sales: &[&Sale]) -> Check {
    if clicks.rounds.is_empty() && sales.is_empty() {
        return Check::left_out("honest answers", "no sale could be made and looked at");
    }
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
        0 => "each buyer who was told yes has an order; no other buyer has one".to_owned(),
        1 => "1 order or answer has no counterpart".to_owned(),
        _ => format!("{broken} answers and orders don't match"),
    };
    let meaning = "The answers to the buyers differ from the orders in the database.";
    Check::new("honest answers", broken == 0, seen, meaning)
        .at("Look at what create_order answers when one of its statements fails or has no effect.")
}

/// No lost sale: nobody is told "Out of stock" while copies are left. In `sale`, there was a copy for each buyer.
pub fn judge_lost_sales(sale: &Part<Sale>, others: &[&Sale]) -> Check {
    let sale = match sale {
        Ok(sale) => sale,
        Err(reason) => return Check::left_out("no lost sale", reason),
    };
    let is_left_over = |sale: &&Sale| sale.orders.len() < sale.stock;
    let lost = |sale: &Sale| sale.count(&Told::OutOfStock);
    let refused = lost(sale);
    let refused_elsewhere: usize = others.iter().copied().filter(is_left_over).map(lost).sum();

    let sold = sale.orders.len();
    let others = sale.buyers.saturating_sub(sold + refused);
    let mut seen =
        format!("{} for {}: {sold} sold", counted(sale.stock, "copy"), counted(sale.buyers, "buyer"));
    if refused > 0 {
        seen.push_str(&format!(", {} told \"Out of stock\" too early", counted(refused, "buyer")));
    }
    if others > 0 {
        seen.push_str(&format!(", {others} gave up or met a failure"));
    }
    if refused_elsewhere > 0 {
        let buyers = counted(refused_elsewhere, "buyer");
        seen.push_str(&format!("; in the other sales, {buyers} told \"Out of stock\" too early"));
    }
    let meaning = "Buyers got nothing while there were copies for them.";
    Check::new("no lost sale", refused + refused_elsewhere == 0 && sold >= sale.stock, seen, meaning)
        .at("Look at when create_order says that no copies are left, and at its answer to a buyer who was only slow.")
        .after_failure(sale.has_failure())
}
