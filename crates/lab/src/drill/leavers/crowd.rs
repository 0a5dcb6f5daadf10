//! One buyer who leaves, and the counts of all such buyers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::{sleep, sleep_until, timeout};

use super::lives::{Lives, choose_moment};
use crate::back_off::BackOff;
use crate::drill::goods::Shelf;
use crate::drill::leaving::Leaving;
use crate::drill::market::Market;
use crate::shop::buy_request::BuyRequest;
use crate::shop::purchase::Purchase;
use crate::shop::sent_order::SentOrder;
use crate::shop::told::Told;

/// How long a buyer waits who stays for the answer. The shop's own limits are shorter.
const LONGEST_LIFE: Duration = Duration::from_secs(15);
/// The least time from one purchase of a buyer to the next, as a part of a request's life. A purchase that was left
/// may still wait for others that were left. More purchases would only make it wait longer.
const PAUSE: f64 = 0.25;

/// What all buyers who leave share.
pub struct LeavingCrowd {
    market: Arc<Market>,
    lives: Lives,
    leaving: Mutex<Leaving>,
}

/// A purchase whose buyer has left, or got the answer before that.
pub struct Left {
    purchase: Purchase,
    /// The life of its request, as far as it is known.
    life: Duration,
}

impl LeavingCrowd {
    pub fn of(market: &Arc<Market>) -> Self {
        Self { market: Arc::clone(market), lives: Lives::default(), leaving: Mutex::default() }
    }

    /// The counts so far.
    pub fn leaving(&self) -> Leaving {
        self.leaving.lock().clone()
    }

    /// Buys once, leaves, and comes back. `turn` decides by which strategy, and whether with a key.
    pub async fn leave_and_come_back(&self, turn: usize, random: &mut Rng) {
        let begun = Instant::now();
        let left = self.leave(turn, random).await;
        let next = begun + left.life.mul_f64(PAUSE);
        left.come_back(self, random).await;
        sleep_until(next.into()).await;
    }

    /// Sends a purchase, and leaves. `turn` decides by which strategy, and whether with a key.
    pub async fn leave(&self, turn: usize, random: &mut Rng) -> Left {
        let shelves = self.market.shelves();
        let (shelf, has_key) = (&shelves[turn % shelves.len()], (turn / shelves.len()).is_multiple_of(2));
        let item = if has_key { &shelf.left_with_key } else { &shelf.left_without_key };
        let way = (shelf.strategy.as_str(), has_key);
        let life = self.lives.median(way);
        let moment = life.and_then(|life| choose_moment(life, random));

        let mut purchase = self.market.new_purchase(item, has_key);
        let begun = Instant::now();
        let request = match self.market.shop().send_order(&purchase.body(), purchase.key.as_deref()).await {
            Ok(sent) => wait(sent, moment.unwrap_or(LONGEST_LIFE)).await,
            Err(_) => {
                let silence = "no connection".to_owned();
                BuyRequest::over(begun, Told::Wrong(silence.clone()), Err(silence))
            }
        };
        match (moment, life) {
            (Some(_), Some(life)) => self.note_departure(shelf, life, &request),
            _ => self.lives.note(way, request.took),
        }
        purchase.requests.push(request);
        Left { purchase, life: life.unwrap_or_default() }
    }

    fn note_departure(&self, shelf: &Shelf, life: Duration, request: &BuyRequest) {
        let mut leaving = self.leaving.lock();
        let departures = leaving.strategies.entry(shelf.strategy.clone()).or_default();
        match request.told {
            Told::Left => departures.note_left(request.took, life),
            _ => departures.answered += 1,
        }
    }
}

impl Left {
    /// Asks with the key, if there is one, what has become of the purchase.
    pub async fn come_back(mut self, crowd: &LeavingCrowd, random: &mut Rng) {
        let is_known = self.purchase.requests.iter().any(|request| request.told.is_final());
        if self.purchase.key.is_some() && !is_known {
            sleep(self.life.mul_f64(random.f64())).await;
            let back_off = BackOff::new(random.fork());
            self.purchase.ask_until_final(crowd.market.shop(), Some(back_off)).await;
        }
        if let Some(was_made) = self.purchase.was_made_for_who_left() {
            let mut leaving = crowd.leaving.lock();
            *(if was_made { &mut leaving.made } else { &mut leaving.taken_back }) += 1;
        }
        crowd.market.note(self.purchase);
    }
}

/// Waits for the answer. When `patience` is over, the buyer leaves without it.
async fn wait(mut sent: SentOrder, patience: Duration) -> BuyRequest {
    let begun = Instant::now();
    match timeout(patience, sent.answer()).await {
        Ok(answer) => {
            let told = Told::of_sent(&answer);
            BuyRequest::over(begun, told, answer.as_ref().map_err(ToString::to_string))
        }
        Err(_) => {
            drop(sent);
            BuyRequest::over(begun, Told::Left, Err("the buyer left".to_owned()))
        }
    }
}
