//! Where the dashboard gets transactions from, and how it learns that there are new ones.

use std::fmt;
use std::sync::Arc;

use flash_sale_wiretap::Recorder;
use flash_sale_wiretap::trace::Transaction;
use tokio::sync::watch;

/// The transactions that somebody else keeps.
#[derive(Clone)]
pub struct Source {
    newest: Arc<dyn Fn(usize) -> Vec<Transaction> + Send + Sync>,
    news: watch::Receiver<u64>,
}

impl Source {
    /// `newest` returns at most as many transactions as it is asked for, newest first. `news` changes whenever there is
    /// something new.
    pub fn new(
        newest: impl Fn(usize) -> Vec<Transaction> + Send + Sync + 'static,
        news: watch::Receiver<u64>,
    ) -> Self {
        Self { newest: Arc::new(newest), news }
    }

    /// At most `limit` transactions, newest first.
    pub fn newest(&self, limit: usize) -> Vec<Transaction> {
        (self.newest)(limit)
    }

    /// Changes whenever there is something new.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }
}

/// Purchases and reads together: a purchase without a transaction is a read on its own, and a write on its own.
impl From<&Recorder> for Source {
    fn from(recorder: &Recorder) -> Self {
        let recorder = recorder.clone();
        let news = recorder.news();
        Self::new(move |limit| recorder.all(limit), news)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").finish_non_exhaustive()
    }
}
