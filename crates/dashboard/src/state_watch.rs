//! Keeps the shop's state for a second. So the database is asked at most once a second, however many look.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::rooms::Shop;
use crate::shop_state::ShopState;

/// How long a state is shown.
pub const KEPT_FOR: Duration = Duration::from_secs(1);

/// The last state. While the shop is being asked, further requests wait for the same answer.
pub struct StateWatch {
    shop: Arc<dyn Shop>,
    last: Mutex<Option<(Instant, Arc<ShopState>)>>,
}

impl StateWatch {
    /// Asks this shop.
    pub fn new(shop: Arc<dyn Shop>) -> Self {
        Self { shop, last: Mutex::default() }
    }

    /// A state that is at most a second old.
    pub async fn state(&self) -> Arc<ShopState> {
        let mut last = self.last.lock().await;
        if let Some((asked_at, state)) = &*last
            && asked_at.elapsed() < KEPT_FOR
        {
            return Arc::clone(state);
        }
        let asked_at = Instant::now();
        let state = Arc::new(self.shop.state().await);
        *last = Some((asked_at, Arc::clone(&state)));
        state
    }
}
