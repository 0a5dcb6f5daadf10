//! The buyers of a benchmark. They run on threads of their own, so that their share of the processors can be told from
//! the gateway's, which runs in the same process. Start with [`Load::buy`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::due_times::DueTimes;
use super::tally::Tally;
use crate::back_off::BackOff;
use crate::shop::kept_connection::{BuyBytes, KeptConnection};
use crate::shop::told::Told;

/// The name of the buyers' threads, by which their processor time is found.
pub const THREAD: &str = "buyers";
/// A purchase of an open loop that no connection is free for is not sent after so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The buyers' tasks get ready in this time, and then begin together.
const GET_READY: Duration = Duration::from_millis(20);
/// A buyer who got no answer pauses: where nobody listens, asking again costs nothing and would fill the processors.
const AFTER_SILENCE: Duration = Duration::from_millis(20);

/// Buyers with their connections, which they keep from round to round.
pub struct Load {
    runtime: Option<Runtime>,
    connections: Vec<KeptConnection>,
}

/// What is bought in a round, and how.
#[derive(Clone)]
pub struct LoadPlan {
    /// A request for each product. Each purchase takes one of them at random.
    pub requests: Arc<Vec<BuyBytes>>,
    /// How long the round is.
    pub seconds: f64,
    /// Open loop: how many purchases are due in a second.
    pub rate: Option<f64>,
}

/// One buyer in a round.
struct LoadBuyer {
    connection: KeptConnection,
    random: Rng,
    tally: Tally,
    requests: Arc<Vec<BuyBytes>>,
    end: Instant,
}

impl Load {
    /// Opens a connection for each buyer.
    ///
    /// # Errors
    /// When the shop doesn't accept them.
    pub async fn gather(address: SocketAddr, buyers: usize) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().thread_name(THREAD).enable_all().build()?;
        let open = async move {
            let mut connections = Vec::with_capacity(buyers);
            for _ in 0..buyers {
                connections.push(KeptConnection::open(address).await?);
            }
            std::io::Result::Ok(connections)
        };
        let opened = runtime.spawn(open);
        let mut load = Self { runtime: Some(runtime), connections: Vec::new() };
        load.connections = opened.await?.with_context(|| format!("can't open {buyers} connections"))?;
        Ok(load)
    }

    /// Lets all buyers buy for the time of the round, and waits for their last answers.
    ///
    /// # Errors
    /// When a buyer's task panics.
    pub async fn buy(&mut self, plan: &LoadPlan) -> anyhow::Result<Tally> {
        let runtime = self.runtime.as_ref().context("the buyers have gone home")?;
        let start = Instant::now() + GET_READY;
        let end = start + Duration::from_secs_f64(plan.seconds);
        let arrivals =
            plan.rate.map(|rate| Arc::new(Arrivals::new(DueTimes::new(start, rate, plan.seconds))));
        let mut buyers = JoinSet::new();
        let count = self.connections.len();
        for connection in self.connections.drain(..) {
            let (requests, random) = (Arc::clone(&plan.requests), Rng::new());
            let mut buyer = LoadBuyer { connection, random, tally: Tally::default(), requests, end };
            let arrivals = arrivals.clone();
            let task = async move {
                match arrivals {
                    None => buyer.buy_again_and_again(start).await,
                    Some(arrivals) => buyer.serve(&arrivals).await,
                }
                buyer
            };
            buyers.spawn_on(task, runtime.handle());
        }
        if let Some(arrivals) = arrivals {
            thread::Builder::new().name(THREAD.to_owned()).spawn(move || arrivals.announce(count))?;
        }
        let mut sum = Tally::default();
        while let Some(buyer) = buyers.join_next().await {
            let buyer = buyer?;
            sum.add(buyer.tally);
            self.connections.push(buyer.connection);
        }
        Ok(sum)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // A runtime may not wait for its end within another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl LoadBuyer {
    /// Closed loop: the next purchase begins when the one before is over.
    async fn buy_again_and_again(&mut self, start: Instant) {
        sleep_until(start.into()).await;
        while Instant::now() < self.end {
            self.buy(Instant::now()).await;
        }
    }

    /// Open loop: serves whichever purchase is due next, also when it is late.
    async fn serve(&mut self, arrivals: &Arrivals) {
        while let Some(due) = arrivals.next().await {
            if due.elapsed() > PATIENCE {
                self.tally.unsent += 1;
            } else {
                self.buy(due).await;
            }
        }
    }

    /// Asks until an answer is final, with pauses after answers that say "try again". The wait counts from `due`.
    async fn buy(&mut self, due: Instant) {
        let number = self.random.usize(..self.requests.len());
        let mut back_off: Option<BackOff> = None;
        loop {
            let told = match self.connection.ask(&self.requests[number]).await {
                Ok(answer) => Told::of_answer(&answer),
                Err(error) => Told::NoAnswer(error.to_string()),
            };
            match &told {
                Told::Sold(order) => return self.tally.note_sale(*order, due, self.end),
                Told::Conflict => self.tally.conflicts += 1,
                Told::NotCarriedOut => self.tally.busy += 1,
                Told::NoAnswer(_) => {
                    self.tally.note_failure(&told);
                    return sleep(AFTER_SILENCE).await;
                }
                _ => return self.tally.note_failure(&told),
            }
            let pause = back_off.get_or_insert_with(|| BackOff::new(self.random.fork())).next_pause();
            if Instant::now() + pause > self.end {
                self.tally.gave_up += 1;
                return;
            }
            sleep(pause).await;
        }
    }
}

/// The purchases of an open loop, as they become due.
struct Arrivals {
    times: DueTimes,
    next: AtomicUsize,
    due: Semaphore,
}

impl Arrivals {
    fn new(times: DueTimes) -> Self {
        Self { times, next: AtomicUsize::new(0), due: Semaphore::new(0) }
    }

    /// Waits for a purchase that is due, and returns when it was. `None`: there are no more.
    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        self.times.due(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Announces each purchase when it is due. This runs on a plain thread, whose sleep is far more exact than a timer
    /// of tokio, which counts in milliseconds.
    fn announce(&self, buyers: usize) {
        for number in 0..self.times.count {
            let Some(due) = self.times.due(number) else { break };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        // One more for each buyer, who then finds that there are no more purchases.
        self.due.add_permits(buyers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_purchase_is_served_once_and_then_all_buyers_go_home() {
        let times = DueTimes::new(Instant::now(), 1000.0, 0.03);
        let arrivals = Arc::new(Arrivals::new(times));
        let announcer = Arc::clone(&arrivals);
        let thread = thread::spawn(move || announcer.announce(3));

        let mut served = Vec::new();
        let mut gone = 0;
        while gone < 3 {
            let next = tokio::time::timeout(Duration::from_secs(10), arrivals.next()).await;
            match next.expect("a purchase is announced, or the end") {
                Some(due) => {
                    assert!(due <= Instant::now(), "it was announced too early");
                    served.push(due);
                }
                None => gone += 1,
            }
        }

        thread.join().unwrap();
        assert_eq!(served, (0..30).filter_map(|number| times.due(number)).collect::<Vec<_>>());
    }
}
