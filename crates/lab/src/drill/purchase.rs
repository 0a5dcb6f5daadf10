//! How a buyer of a drill asks for a copy, and what a purchase says whose buyer has left.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;

/// How long a buyer with a key goes on asking.
pub const PATIENCE: Duration = Duration::from_secs(10);

impl Purchase {
    /// Asks for a copy. Without a key it asks only once, because a second request might buy a second copy. With a key
    /// it asks again after a pause of `back_off`, as long as there is no final answer and some patience is left.
    /// `back_off` is `None` for a buyer who has no patience.
    pub async fn ask_until_final(&mut self, shop: &Shop, mut back_off: Option<BackOff>) {
        let begun = Instant::now();
        loop {
            self.ask(shop).await;
            let is_final = self.requests.last().is_some_and(|request| request.told.is_final());
            let is_done = self.key.is_none() || is_final;
            match back_off.as_mut().map(BackOff::next_pause) {
                Some(pause) if !is_done && begun.elapsed() + pause < PATIENCE => sleep(pause).await,
                _ => return,
            }
        }
    }

    /// Whether its buyer closed the connection before the answer.
    pub fn was_left(&self) -> bool {
        self.requests.iter().any(|request| request.told == Told::Left)
    }

    /// Whether the purchase of a buyer who left had been made by the time they came back. `None` when the buyer
    /// didn't leave, or has not learned it from the key.
    pub fn was_made_for_who_left(&self) -> Option<bool> {
        let last = self.requests.last()?;
        (self.was_left() && last.told.is_final()).then_some(last.is_replay)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::shop::buy_request::BuyRequest;

    fn purchase(told: &[Told], is_replay: bool) -> Purchase {
        let over = |told: &Told| BuyRequest::over(Instant::now(), told.clone(), Err(String::new()));
        let request = |told: &Told| BuyRequest { is_replay, ..over(told) };
        Purchase { requests: told.iter().map(request).collect(), ..Purchase::new(Uuid::nil(), None, None) }
    }

    #[test]
    fn who_left_learns_by_the_key_whether_it_was_made_by_then() {
        let (left, sold) = (Told::Left, Told::Sold(Uuid::nil()));
        let lesson = |told: &[Told], is_replay| purchase(told, is_replay).was_made_for_who_left();

        assert_eq!(lesson(&[left.clone(), sold.clone()], true), Some(true));
        assert_eq!(lesson(&[left.clone(), sold.clone()], false), Some(false));
        assert_eq!(lesson(&[left.clone(), Told::Conflict], false), None);
        assert_eq!(lesson(&[left], false), None);
        assert_eq!(lesson(&[sold], true), None);
    }
}
