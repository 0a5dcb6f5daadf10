//! The buyers: a steady load as long as a fault is drilled, and whoever a fault sends besides. Start with
//! [`Market::open`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::Told;
use super::purchase::Purchase;
use super::rows::KEY_PREFIX;
use crate::back_off::BackOff;
use crate::check::shop::Shop;
use crate::race::contestant::Contestant;

/// The longest pause of a steady buyer between two purchases.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Where the buyers of one drilled fault buy, and what all of them were told.
pub struct Market {
    shop: Shop,
    contestant: Contestant,
    /// Part of each key: no run meets the keys of another.
    run: Uuid,
    plenty: Uuid,
    scarce: Uuid,
    scarce_is_on_sale: AtomicBool,
    purchases: Mutex<Vec<Purchase>>,
    keys: AtomicUsize,
    last_sale: watch::Sender<Option<Instant>>,
    scarce_is_sold_out: watch::Sender<bool>,
    closing: CancellationToken,
}

/// Buyers who go on until the market closes.
pub type Buyers = JoinSet<()>;

impl Market {
    /// A market with two products: of one there is plenty, the other, of which there is too little, isn't on
    /// sale yet.
    pub fn open(shop: &Shop, contestant: &Contestant, plenty: Uuid, scarce: Uuid) -> Arc<Self> {
        Arc::new(Self {
            shop: shop.clone(),
            contestant: contestant.clone(),
            run: Uuid::new_v4(),
            plenty,
            scarce,
            scarce_is_on_sale: AtomicBool::new(false),
            purchases: Mutex::default(),
            keys: AtomicUsize::new(0),
            last_sale: watch::Sender::new(None),
            scarce_is_sold_out: watch::Sender::new(false),
            closing: CancellationToken::new(),
        })
    }

    /// The steady load. Half of them send keys, and half keep their connection from purchase to purchase; the
    /// others open one for each. Of eight, two of each kind: one would have all its connections at one replica.
    ///
    /// # Errors
    /// When there can't be so many clients.
    pub fn send_steady_buyers(self: &Arc<Self>, count: usize, random: &mut Rng) -> anyhow::Result<Buyers> {
        let mut buyers = Buyers::new();
        for index in 0..count {
            let shop = if index % 8 < 4 { self.shop.clone() } else { self.shop.with_one_connection()? };
            let (market, has_keys, mut random) = (Arc::clone(self), index % 4 < 2, random.fork());
            buyers.spawn(async move {
                while !market.closing.is_cancelled() {
                    let product = market.choose(&mut random);
                    let back_off = BackOff::new(random.fork());
                    market.buy(&shop, product, has_keys, Some(back_off)).await;
                    market.pause(LONGEST_PAUSE.mul_f64(random.f64())).await;
                }
            });
        }
        Ok(buyers)
    }

    /// `count` buyers who ask for one copy each, once, all at the same moment and each on a connection of their
    /// own. Returns when all have gone home.
    pub async fn send_crowd(self: &Arc<Self>, product: Uuid, count: usize) {
        let mut crowd = Buyers::new();
        for index in 0..count {
            let market = Arc::clone(self);
            crowd.spawn(async move {
                market.buy(&market.shop, product, index % 2 == 0, None).await;
            });
        }
        while crowd.join_next().await.is_some() {}
    }

    /// `count` buyers who ask for one copy of the product after the other, once for each, until `enough`.
    /// Returns when all have gone home.
    pub async fn send_regulars(self: &Arc<Self>, product: Uuid, count: usize, enough: &CancellationToken) {
        let mut regulars = Buyers::new();
        for index in 0..count {
            let (market, enough) = (Arc::clone(self), enough.clone());
            regulars.spawn(async move {
                let mut random = Rng::with_seed(index as u64);
                while !enough.is_cancelled() {
                    market.buy(&market.shop, product, index % 2 == 0, None).await;
                    market.pause(LONGEST_PAUSE.mul_f64(random.f64())).await;
                }
            });
        }
        while regulars.join_next().await.is_some() {}
    }

    /// From now on the product is bought too of which there is too little.
    pub fn put_scarce_on_sale(&self) {
        self.scarce_is_on_sale.store(true, Ordering::Relaxed);
    }

    /// Waits for a sale after `moment`.
    pub async fn sale_after(&self, moment: Instant) {
        let is_later = |last: &Option<Instant>| last.is_some_and(|last| last > moment);
        // It can fail only without a sender, and we are it.
        let _ = self.last_sale.subscribe().wait_for(is_later).await;
    }

    /// Waits until somebody was told that there is no copy left of what there was too little of.
    pub async fn scarce_sold_out(&self) {
        let _ = self.scarce_is_sold_out.subscribe().wait_for(|is_sold_out| *is_sold_out).await;
    }

    /// Waits until all steady buyers have their last answer.
    pub async fn close(&self, mut buyers: Buyers) {
        self.closing.cancel();
        while buyers.join_next().await.is_some() {}
    }

    /// All purchases so far, by product.
    pub fn take_purchases(&self) -> BTreeMap<Uuid, Vec<Purchase>> {
        let purchases = std::mem::take(&mut *self.purchases.lock().unwrap_or_else(PoisonError::into_inner));
        let mut by_product: BTreeMap<Uuid, Vec<Purchase>> = BTreeMap::new();
        for purchase in purchases {
            by_product.entry(purchase.product).or_default().push(purchase);
        }
        by_product
    }

    fn choose(&self, random: &mut Rng) -> Uuid {
        if self.scarce_is_on_sale.load(Ordering::Relaxed) && random.bool() {
            self.scarce
        } else {
            self.plenty
        }
    }

    async fn buy(&self, shop: &Shop, product: Uuid, has_key: bool, back_off: Option<BackOff>) {
        let key = has_key.then(|| self.new_key());
        let order = self.contestant.order(product);
        self.note(Purchase::make(shop, &order, product, key, back_off).await);
    }

    fn note(&self, purchase: Purchase) {
        for request in &purchase.requests {
            match request.told {
                Told::Sold(_) if purchase.product == self.plenty => {
                    self.last_sale.send_modify(|last| *last = (*last).max(Some(request.answered)));
                }
                Told::OutOfStock if purchase.product == self.scarce => {
                    self.scarce_is_sold_out.send_if_modified(|is| !std::mem::replace(is, true));
                }
                _ => {}
            }
        }
        self.purchases.lock().unwrap_or_else(PoisonError::into_inner).push(purchase);
    }

    fn new_key(&self) -> String {
        format!("{KEY_PREFIX}{} {}", self.run, self.keys.fetch_add(1, Ordering::Relaxed))
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.closing.cancelled() => {}
        }
    }
}
