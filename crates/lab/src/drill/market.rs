//! The buyers: a steady load as long as a fault is drilled, and the buyers that a fault sends besides. Start with
//! [`Market::open`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::goods::{Item, Shelf};
use super::notary::Counter;
use super::rows::KEY_PREFIX;
use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;

/// The longest pause of a steady buyer between two purchases.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The place where the buyers of one drilled fault buy. It keeps what all of them were told.
pub struct Market {
    shop: Shop,
    shelves: Vec<Shelf>,
    /// Each sale from the shelves is shown here.
    counter: Counter,
    /// A part of each key, so that no run meets the keys of another run.
    run: Uuid,
    scarce_is_on_sale: AtomicBool,
    purchases: Mutex<Vec<Purchase>>,
    keys: AtomicUsize,
    /// When each product was sold last.
    last_sales: watch::Sender<BTreeMap<Uuid, Instant>>,
    /// Products of which somebody was told that there is no copy left.
    sold_out: watch::Sender<BTreeSet<Uuid>>,
    /// Products of which somebody was told that the outcome is unknown, and whether the buyer had a key.
    outcomes_unknown: watch::Sender<BTreeSet<(Uuid, bool)>>,
    /// Each steady buyer holds this lock for reading while they buy.
    noise: RwLock<()>,
    closing: CancellationToken,
}

/// Buyers who go on until the market closes.
pub type Buyers = JoinSet<()>;

impl Market {
    /// Opens a market with these shelves. The products with too few copies are not on sale yet.
    pub fn open(shop: &Shop, shelves: Vec<Shelf>, counter: Counter) -> Arc<Self> {
        Arc::new(Self {
            shop: shop.clone(),
            shelves,
            counter,
            run: Uuid::new_v4(),
            scarce_is_on_sale: AtomicBool::new(false),
            purchases: Mutex::default(),
            keys: AtomicUsize::new(0),
            last_sales: watch::Sender::default(),
            sold_out: watch::Sender::default(),
            outcomes_unknown: watch::Sender::default(),
            noise: RwLock::default(),
            closing: CancellationToken::new(),
        })
    }

    /// The shop in which the buyers buy.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// A shelf for each strategy.
    pub fn shelves(&self) -> &[Shelf] {
        &self.shelves
    }

    /// Sends the steady buyers. Each of them buys by one strategy after the other. Half of them send keys. Half of
    /// them keep their connection from purchase to purchase; the others open one for each purchase. So there are four
    /// kinds, and eight buyers are two of each kind. With one buyer of a kind, all its connections would be at one
    /// replica.
    ///
    /// # Errors
    /// When so many clients can't be made.
    pub fn send_steady_buyers(self: &Arc<Self>, count: usize, random: &mut Rng) -> anyhow::Result<Buyers> {
        let mut buyers = Buyers::new();
        for index in 0..count {
            let shop = if index % 8 < 4 { self.shop.clone() } else { self.shop.with_one_connection()? };
            let (market, has_keys, mut random) = (Arc::clone(self), index % 4 < 2, random.fork());
            buyers.spawn(async move {
                for shelf in market.shelves.iter().cycle().skip(index) {
                    if market.closing.is_cancelled() {
                        return;
                    }
                    let item = market.choose(shelf, &mut random);
                    let back_off = BackOff::new(random.fork());
                    let noise = market.noise.read().await;
                    market.buy(&shop, item, has_keys, Some(back_off)).await;
                    drop(noise);
                    market.pause(LONGEST_PAUSE.mul_f64(random.f64())).await;
                }
            });
        }
        Ok(buyers)
    }

    /// Sends `count` buyers at the same moment. Each asks once for one copy, on a connection of their own. The first
    /// buyer asks for the first of these items, the second buyer for the second, and so on. Returns when all have
    /// gone home.
    pub async fn send_crowd(self: &Arc<Self>, items: &[Item], count: usize) {
        let mut crowd = Buyers::new();
        for (index, item) in items.iter().cycle().take(count).enumerate() {
            let (market, item, has_key) = (Arc::clone(self), item.clone(), has_key(index, items.len()));
            crowd.spawn(async move {
                market.buy(&market.shop, &item, has_key, None).await;
            });
        }
        while crowd.join_next().await.is_some() {}
    }

    /// Sends `count` buyers. Each buys copies of one item, one copy after the other, until `enough`. They ask only
    /// once for each copy. Returns when all have gone home.
    pub async fn send_regulars(self: &Arc<Self>, items: &[Item], count: usize, enough: &CancellationToken) {
        let mut regulars = Buyers::new();
        for (index, item) in items.iter().cycle().take(count).enumerate() {
            let (market, item, enough) = (Arc::clone(self), item.clone(), enough.clone());
            let has_key = has_key(index, items.len());
            regulars.spawn(async move {
                let mut random = Rng::with_seed(index as u64);
                while !enough.is_cancelled() {
                    market.buy(&market.shop, &item, has_key, None).await;
                    market.pause(LONGEST_PAUSE.mul_f64(random.f64())).await;
                }
            });
        }
        while regulars.join_next().await.is_some() {}
    }

    /// From now on, the products with too few copies are bought, too.
    pub fn put_scarce_on_sale(&self) {
        self.scarce_is_on_sale.store(true, Ordering::Relaxed);
    }

    /// Waits until no steady buyer has a purchase under way. As long as the returned guard lives, none of them begins
    /// one.
    pub async fn silence(&self) -> RwLockWriteGuard<'_, ()> {
        self.noise.write().await
    }

    /// Waits until each strategy has sold after `moment`.
    pub async fn sales_after(&self, moment: Instant) {
        let all_are_later = |sales: &BTreeMap<Uuid, Instant>| {
            let mut plenty = self.shelves.iter().map(|shelf| shelf.plenty.product);
            plenty.all(|product| sales.get(&product).is_some_and(|last| *last > moment))
        };
        // The wait can fail only when the sender is gone, and we hold the sender.
        let _ = self.last_sales.subscribe().wait_for(all_are_later).await;
    }

    /// Waits until somebody was told that there is no copy left, for each product with too few copies.
    pub async fn scarce_sold_out(&self) {
        let are_sold_out = |sold_out: &BTreeSet<Uuid>| {
            self.shelves.iter().all(|shelf| sold_out.contains(&shelf.scarce.product))
        };
        let _ = self.sold_out.subscribe().wait_for(are_sold_out).await;
    }

    /// Waits until somebody was told that the outcome is unknown: for each strategy, a buyer with a key, who has asked
    /// again until the end, and a buyer without one.
    pub async fn outcomes_unknown(&self) {
        let are_all_met = |met: &BTreeSet<(Uuid, bool)>| {
            let is_met = |shelf: &Shelf, has_key: bool| {
                shelf.items().iter().any(|item| met.contains(&(item.product, has_key)))
            };
            self.shelves.iter().all(|shelf| is_met(shelf, true) && is_met(shelf, false))
        };
        let _ = self.outcomes_unknown.subscribe().wait_for(are_all_met).await;
    }

    /// Waits until all steady buyers have their last answer.
    pub async fn close(&self, mut buyers: Buyers) {
        self.closing.cancel();
        while buyers.join_next().await.is_some() {}
    }

    /// Takes out all purchases so far, by product.
    pub fn take_purchases(&self) -> BTreeMap<Uuid, Vec<Purchase>> {
        let purchases = std::mem::take(&mut *self.purchases.lock());
        let mut by_product: BTreeMap<Uuid, Vec<Purchase>> = BTreeMap::new();
        for purchase in purchases {
            by_product.entry(purchase.product).or_default().push(purchase);
        }
        by_product
    }

    /// A purchase of the item, before its first request.
    pub fn new_purchase(&self, item: &Item, has_key: bool) -> Purchase {
        let new_key = || format!("{KEY_PREFIX}{} {}", self.run, self.keys.fetch_add(1, Ordering::Relaxed));
        Purchase::new(item.product, item.strategy.clone(), has_key.then(new_key))
    }

    /// Notes a purchase that its buyer has finished.
    pub fn note(&self, purchase: Purchase) {
        let product = purchase.product;
        for request in &purchase.requests {
            match request.told {
                Told::Sold(order) => {
                    if self.is_of_a_shelf(product) {
                        self.counter.show(order);
                    }
                    self.last_sales.send_modify(|last| {
                        let last = last.entry(product).or_insert(request.answered);
                        *last = request.answered.max(*last);
                    });
                }
                Told::OutOfStock => {
                    self.sold_out.send_if_modified(|sold_out| sold_out.insert(product));
                }
                Told::OutcomeUnknown => {
                    let met = (product, purchase.key.is_some());
                    self.outcomes_unknown.send_if_modified(|all| all.insert(met));
                }
                _ => {}
            }
        }
        self.purchases.lock().push(purchase);
    }

    /// Orders of other products are deleted while they are sold, so nobody looks for them.
    fn is_of_a_shelf(&self, product: Uuid) -> bool {
        self.shelves.iter().any(|shelf| shelf.items().iter().any(|item| item.product == product))
    }

    fn choose<'a>(&self, shelf: &'a Shelf, random: &mut Rng) -> &'a Item {
        let is_scarce = self.scarce_is_on_sale.load(Ordering::Relaxed) && random.bool();
        if is_scarce { &shelf.scarce } else { &shelf.plenty }
    }

    async fn buy(&self, shop: &Shop, item: &Item, has_key: bool, back_off: Option<BackOff>) {
        let mut purchase = self.new_purchase(item, has_key);
        purchase.ask_until_final(shop, back_off).await;
        self.note(purchase);
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.closing.cancelled() => {}
        }
    }
}

/// Every other buyer of an item sends keys.
fn has_key(index: usize, items: usize) -> bool {
    (index / items).is_multiple_of(2)
}
