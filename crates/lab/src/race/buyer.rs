//! One buyer: asks, is told to try again, asks again, and goes home.

use std::time::Duration;

use tokio::time::sleep;

use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::purchase::Purchase;

/// Asks until an answer is final, or until patience has run out. After a failure the buyer doesn't ask again, because the
/// failed request may have been a sale. Returns the purchase when the buyer goes home.
pub async fn go_shopping(
    shop: &Shop,
    mut purchase: Purchase,
    patience: Option<Duration>,
    mut back_off: BackOff,
) -> Purchase {
    loop {
        purchase.ask(shop).await;
        let may_ask_again = purchase.requests.last().is_some_and(|request| request.told.may_ask_again());
        let pause = back_off.next_pause();
        if !may_ask_again || patience.is_none_or(|patience| purchase.took() + pause > patience) {
            return purchase;
        }
        sleep(pause).await;
    }
}
