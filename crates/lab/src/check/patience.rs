//! Checks that a purchase holds nobody else up: while it holds a product's row, readers and buyers of another product
//! go on. A connection of the check itself holds the row, so nothing here depends on luck.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::part::{Part, Say};
use super::purchase::buy_once;
use super::verdict::Check;
use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::client::http::why_silent;
use crate::shop::database::ShopDatabase;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;

/// How long the purchases of the held product get to arrive at its row.
const ARRIVAL_LIMIT: Duration = Duration::from_millis(700);
/// How long the others get for an answer while the row is held. Together with [`ARRIVAL_LIMIT`] it is well below the
/// shop's own `lock_timeout`, so that the shop refuses nobody who waits. A read that doesn't wait needs a few
/// milliseconds, and a purchase needs the payment's 100.
const ANSWER_LIMIT: Duration = Duration::from_millis(1300);
const POLL: Duration = Duration::from_millis(5);
/// How many requests of each kind: one for each of two replicas, because connections are handed out in turn.
const EACH: usize = 2;
const STOCK: i32 = 10;

/// What happened while the row was held.
#[derive(Clone, Debug)]
pub struct Held {
    /// Each read: what was read, and how long it took; `None` when it was not answered in time.
    pub reads: Vec<(&'static str, Option<Duration>)>,
    /// Reads that were answered with something else than 200.
    pub failed_reads: Vec<String>,
    /// Purchases of other products; `None` for one that was not answered in time.
    pub others: Vec<Option<Purchase>>,
    /// Purchases of the held product. They could go on at the end, when the row was released.
    pub held: Vec<Purchase>,
}

impl Held {
    /// The requests of all purchases that were answered.
    pub fn requests(&self) -> impl Iterator<Item = &BuyRequest> {
        let held = self.held.iter().flat_map(|purchase| &purchase.requests);
        held.chain(self.requests_of_others())
    }

    /// The requests for other products that were answered in time.
    fn requests_of_others(&self) -> impl Iterator<Item = &BuyRequest> {
        self.others.iter().flatten().flat_map(|purchase| &purchase.requests)
    }
}

/// Holds the rows of a product and of the shop's own book, starts a purchase of the product on each replica, and then
/// reads, and buys other products.
///
/// # Errors
/// When the shop or its database can't be asked.
pub async fn hold_and_look(shop: &Shop, database: &ShopDatabase, say: Say<'_>) -> anyhow::Result<Held> {
    say("while a purchase is under way: readers, and buyers of another product");
    let product = database.make_product("held", STOCK).await?;
    // A product for each buyer: two purchases of one product may well wait for each other.
    let others = [database.make_product("free", STOCK).await?, database.make_product("free", STOCK).await?];
    let featured = shop.featured_product().await?.id;

    let holder = database.hold(&[product, featured]).await?;
    let (mut buyers, mut held) = (JoinSet::new(), Vec::with_capacity(EACH));
    for _ in 0..EACH {
        let shop = shop.clone();
        buyers.spawn(async move { buy_once(&shop, product).await });
    }
    let arrival = Instant::now();
    // Purchases that don't wait at all, as with NOWAIT, have been answered by now.
    while database.waiting_sessions().await? < EACH as i64
        && held.len() < EACH
        && arrival.elapsed() < ARRIVAL_LIMIT
    {
        held.extend(buyers.try_join_next().transpose()?);
        sleep(POLL).await;
    }

    let path = format!("/api/products/{product}");
    let paths = [("the page", "/"), ("the product", path.as_str()), ("the book", "/api/products")];
    let reads = paths.iter().flat_map(|(what, path)| [(*what, *path); EACH]);
    let reads = join_all(reads.map(|(what, path)| read(shop, what, path)));
    let others = others.map(|product| timeout(ANSWER_LIMIT, buy_once(shop, product)));
    // The purchases come first, one connection after the other, so that each replica gets one.
    let (others, reads) = tokio::join!(join_all(others), reads);
    holder.rollback().await?;

    held.extend(buyers.join_all().await);
    let failed_reads = reads.iter().filter_map(|(_, _, failure)| failure.clone()).collect();
    let reads = reads.into_iter().map(|(what, took, _)| (what, took)).collect();
    let others = others.into_iter().map(Result::ok).collect();
    Ok(Held { reads, failed_reads, others, held })
}

type Read = (&'static str, Option<Duration>, Option<String>);

async fn read(shop: &Shop, what: &'static str, path: &str) -> Read {
    match timeout(ANSWER_LIMIT, shop.get(path)).await {
        Ok(Ok(answer)) if answer.status == 200 => (what, Some(answer.took), None),
        Ok(Ok(answer)) => (what, Some(answer.took), Some(answer.status.to_string())),
        Ok(Err(error)) => (what, None, Some(why_silent(&error))),
        Err(_) => (what, None, None),
    }
}

/// Readers don't wait for buyers.
pub fn judge_reads(held: &Part<Held>) -> Check {
    let held = match held {
        Ok(held) => held,
        Err(reason) => return Check::left_out("readers don't wait", reason),
    };
    let waited: Vec<&str> =
        held.reads.iter().filter(|(_, took)| took.is_none()).map(|(what, _)| *what).collect();
    let slowest = held.reads.iter().filter_map(|(_, took)| *took).max().unwrap_or_default();
    let seen = match waited.first() {
        None => format!("the page and the product answer in {} ms at most", slowest.as_millis()),
        Some(what) => format!("{what} did not answer while a purchase was under way"),
    };
    let meaning = "Readers of a book wait for its buyers.";
    Check::new("readers don't wait", waited.is_empty(), seen, meaning)
        .at("Look at who else calls the method that you changed.")
}

/// Buyers of another product don't wait either.
pub fn judge_others(held: &Part<Held>) -> Check {
    let held = match held {
        Ok(held) => held,
        Err(reason) => return Check::left_out("other products don't wait", reason),
    };
    let sold = |request: &&BuyRequest| matches!(request.told, Told::Sold(_));
    let in_time: Vec<&BuyRequest> = held.requests_of_others().filter(sold).collect();
    let slowest = in_time.iter().map(|request| request.took).max().unwrap_or_default();
    let is_right = in_time.len() == held.others.len();
    let seen = if is_right {
        format!("purchases of another product take {} ms at most", slowest.as_millis())
    } else {
        let refused = held.requests_of_others().find(|request| !sold(request));
        match refused.map(BuyRequest::in_words) {
            None => format!("{} of {EACH} purchases of another product waited", EACH - in_time.len()),
            Some(told) => {
                format!("{} of {EACH} purchases of another product: {told}", EACH - in_time.len())
            }
        }
    };
    let (meaning, place) = if held.others.iter().any(Option::is_none) {
        (
            "A purchase waits for a purchase of another product.",
            "Look at how much of the shop one purchase in create_order keeps to itself.",
        )
    } else {
        (
            "A purchase of a product that nobody else wants is turned away. See what was answered: make logs.",
            "Look at what create_order answers, and when.",
        )
    };
    let has_failure = held.requests_of_others().any(|request| request.failure().is_some());
    Check::new("other products don't wait", is_right, seen, meaning).at(place).after_failure(has_failure)
}
