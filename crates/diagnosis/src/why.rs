//! Why a fix holds: what has become of the second of two purchases, and whom the first one holds up meanwhile.

use serde::{Deserialize, Serialize};

use crate::deed::{Deed, RowWrite, Strength};
use crate::evidence::Purchase;
use crate::reading::{Reading, Sent};
use crate::shown::result;

/// Why a fix holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyItHolds {
    /// What has become of the second purchase.
    pub sentence: String,
    /// What a purchase holds, how long, and who waits for it.
    pub holds: Option<String>,
}

/// Why the fix holds, as these two purchases show it. `None`: they did not get in each other's way.
pub fn why_it_holds(purchases: &[Purchase]) -> Option<WhyItHolds> {
    let second = purchases.iter().find(|purchase| !purchase.reading.has_sold())?;
    let first = purchases.iter().find(|purchase| purchase.reading.has_sold())?;
    let sentence = what_stopped_it(&second.reading)?;
    Some(WhyItHolds { sentence, holds: what_is_held(&first.reading) })
}

/// "The second SELECT FOR UPDATE waited for the end of the first transaction, and then saw quantity 0."
fn what_stopped_it(reading: &Reading) -> Option<String> {
    let meets = |sent: &&Sent| {
        sent.has_waited || sent.error.is_some() || (sent.stock_write().is_some() && sent.rows == Some(0))
    };
    let met = reading.statements.iter().find(meets)?;
    let mut came = result(met);
    let is_guarded = met.stock_write().is_some_and(RowWrite::is_guarded);
    if is_guarded && met.error.is_none() && met.rows == Some(0) {
        came.push_str(": its condition no longer held");
    }
    let then = match (met.has_waited, came.as_str()) {
        (true, "") => " waited for the end of the first transaction.".to_owned(),
        (true, came) => format!(" waited for the end of the first transaction, and then {came}."),
        (false, came) => format!(" {came}."),
    };
    let mut sentence = format!("The second {}{then}", met.label);
    if met.quantity().is_none() {
        let later = || reading.statements.iter().filter(|sent| sent.began_at > met.began_at);
        let begins = |sent: &Sent| sent.deeds.iter().any(|deed| matches!(deed, Deed::Begin(_)));
        match (later().any(begins), later().filter_map(Sent::quantity).next_back()) {
            (true, Some(quantity)) => {
                sentence.push_str(&format!(
                    " The purchase began again, and this time it saw quantity {quantity}."
                ));
            }
            (false, Some(quantity)) => {
                sentence.push_str(&format!(" The read after it saw quantity {quantity}."));
            }
            (true, None) => sentence.push_str(" The purchase began again."),
            (false, None) => {}
        }
    }
    sentence.push_str(" So the second purchase sold nothing.");
    Some(sentence)
}

/// The first lock of the purchase, until its transaction ends.
fn what_is_held(reading: &Reading) -> Option<String> {
    let (lock, (what, who)) = reading.statements.iter().find_map(|sent| Some((sent, who_waits(sent)?)))?;
    Some(format!("A purchase holds {what} from its {} to its end. Meanwhile {who}", lock.label))
}

/// What a statement locks, and who waits for it.
fn who_waits(sent: &Sent) -> Option<(&'static str, &'static str)> {
    const ROW: &str = "the product's row";
    const ALSO_ORDERS: &str = "other buyers of this product wait, and so does everybody who inserts an order of it. \
                               Readers and buyers of other products don't.";
    const ONLY_WRITERS: &str =
        "other buyers of this product wait. Readers and buyers of other products don't.";
    const WHO_ASKS: &str =
        "only those wait who ask for the same number: a write that asks for no lock does not.";
    sent.deeds.iter().find_map(|deed| match deed {
        Deed::LockNumber(_) => Some(("a number", WHO_ASKS)),
        _ if sent.product_lock().is_some_and(|lock| lock.strength == Strength::Update) => {
            Some((ROW, ALSO_ORDERS))
        }
        _ if sent.product_lock().is_some() || sent.stock_write().is_some() => Some((ROW, ONLY_WRITERS)),
        _ => None,
    })
}
