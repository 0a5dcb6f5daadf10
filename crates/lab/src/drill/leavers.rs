//! Buyers who leave: they send a purchase and close their connection before the answer. Each leaves at another moment
//! of the request's life, which is the time from the request to its answer. Buyers who have a key come back later,
//! and ask what has become of the purchase. Start with [`Leavers::send`].

mod crowd;
mod lives;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::future::join_all;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::leaving::Leaving;
use super::market::Market;
use super::sessions_watch::SessionsWatch;
use crowd::LeavingCrowd;

/// How long the buyers may go on after they are called off, until somebody has left at every moment.
const MORE_TIME: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How long the buyers go on who come when nobody else buys.
const ALONE_FOR: Duration = Duration::from_secs(3);

/// Buyers who leave, again and again, until they are called off.
pub struct Leavers {
    tasks: JoinSet<()>,
    crowd: Arc<LeavingCrowd>,
    enough: CancellationToken,
}

impl Leavers {
    /// Sends buyers, `count` at a time. Each of them buys by one strategy after the other, with a key and without in
    /// turn.
    pub fn send(market: &Arc<Market>, count: usize, random: &mut Rng) -> Self {
        let (crowd, enough) = (Arc::new(LeavingCrowd::of(market)), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for index in 0..count {
            let (crowd, enough, mut random) = (Arc::clone(&crowd), enough.clone(), random.fork());
            tasks.spawn(async move {
                for turn in index.. {
                    if enough.is_cancelled() {
                        return;
                    }
                    crowd.leave_and_come_back(turn, &mut random).await;
                }
            });
        }
        Self { tasks, crowd, enough }
    }

    /// Calls the buyers off when somebody has left at every moment, or when that takes too long. Returns when they
    /// have gone home.
    pub async fn call_off(mut self) -> Leaving {
        self.go_home().await;
        self.crowd.leaving()
    }

    /// Calls the buyers off, as [`Leavers::call_off`] does. Then the same number of buyers comes again and again
    /// while nobody else buys. After each time no session may be left in a transaction. This is not asked while
    /// others buy, because one of them might end such a transaction unknowingly.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn call_off_and_come_alone(
        mut self,
        watch: &SessionsWatch,
        market: &Market,
        count: usize,
        random: &mut Rng,
    ) -> anyhow::Result<Leaving> {
        self.go_home().await;
        let _silence = market.silence().await;
        let begun = Instant::now();
        let mut turn = 0;
        while begun.elapsed() < ALONE_FOR {
            let mut buyers: Vec<Rng> = (0..count).map(|_| random.fork()).collect();
            let turns = buyers.iter_mut().zip(turn..);
            let left = join_all(turns.map(|(random, turn)| self.crowd.leave(turn, random))).await;
            watch.look_at_rest().await?;
            join_all(
                left.into_iter().zip(&mut buyers).map(|(left, random)| left.come_back(&self.crowd, random)),
            )
            .await;
            turn += count;
        }
        Ok(self.crowd.leaving())
    }

    async fn go_home(&mut self) {
        let called = Instant::now();
        while !self.crowd.leaving().missing().is_empty() && called.elapsed() < MORE_TIME {
            sleep(POLL).await;
        }
        self.enough.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
