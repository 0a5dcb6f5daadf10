//! What the dashboard asks of the program that serves it. Each page that shows more than transactions has a trait here,
//! and the lab implements it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::shop_state::ShopState;

/// The running shop, for the page State.
pub trait Shop: Send + Sync {
    /// What is known of the shop just now. This has a time limit, and it never fails: where a part can't be asked, the
    /// state says so.
    fn state(&self) -> BoxFuture<'_, ShopState>;
}

/// Everything that the pages ask.
#[derive(Clone)]
pub struct Rooms {
    /// For the page State, and for `/metrics`.
    pub shop: Arc<dyn Shop>,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rooms").finish_non_exhaustive()
    }
}
