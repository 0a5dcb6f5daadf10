//! Watches the shop's sessions in the database. It looks for a session that was left in a transaction with which
//! nobody goes on. Start with [`SessionsWatch::begin`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::shop::database::ShopDatabase;
use crate::shop::patiently::patiently;

const POLL: Duration = Duration::from_millis(100);
const AT_REST_POLL: Duration = Duration::from_millis(10);
/// A transaction may pause for the payment (the race window). A busy machine makes that pause a little longer.
const LONGER_THAN_THE_WINDOW: Duration = Duration::from_secs(1);
/// When all buyers have their answers or are gone, their transactions must end within this time.
const AT_REST_WITHIN: Duration = Duration::from_secs(1);
/// A request whose client is gone may only just be on its way. After this time it is in a transaction, or never will
/// be.
const BEFORE_THE_LAST_LOOK: Duration = Duration::from_millis(300);

/// Looks at the sessions as long as this value lives, and keeps those that it found.
pub struct SessionsWatch {
    database: ShopDatabase,
    found: Arc<Mutex<BTreeSet<i32>>>,
    _enough: DropGuard,
}

impl SessionsWatch {
    /// Looks at the sessions from now on. `window` is the race window.
    pub fn begin(database: &ShopDatabase, window: Duration) -> Self {
        let (found, enough) = (Arc::<Mutex<BTreeSet<i32>>>::default(), CancellationToken::new());
        let (looker, notes, over) = (database.clone(), Arc::clone(&found), enough.clone());
        tokio::spawn(async move {
            while !over.is_cancelled() {
                // This fails when the fault is that the database is away.
                let left = looker.sessions_left_in_transaction(window + LONGER_THAN_THE_WINDOW).await;
                notes.lock().extend(left.unwrap_or_default());
                sleep(POLL).await;
            }
        });
        Self { database: database.clone(), found, _enough: enough.drop_guard() }
    }

    /// Looks once more when nobody buys any longer. Returns how many sessions were left in a transaction, now or
    /// before. `may_pause` means that a replica stood still in the middle of its transactions: then only this last
    /// look counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end(&self, may_pause: bool) -> anyhow::Result<usize> {
        sleep(BEFORE_THE_LAST_LOOK).await;
        if may_pause {
            self.found.lock().clear();
        }
        self.look_at_rest().await?;
        Ok(self.found.lock().len())
    }

    /// Looks when nobody buys. Soon no session may be in a transaction any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at_rest(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let at_work = patiently(|| self.database.sessions_at_work()).await?;
            if at_work.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > AT_REST_WITHIN {
                self.found.lock().extend(at_work);
                return Ok(());
            }
            sleep(AT_REST_POLL).await;
        }
    }
}
