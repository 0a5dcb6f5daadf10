//! COMMIT is the one step of a request that can't be taken back, and whose answer can be lost: then nobody
//! knows whether it was carried out. A [`CommitMark`] says whether a request is at that point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flash_sale_core::database_error::is_answer_lost;
use sea_orm::DbErr;

tokio::task_local! {
    static MARK: CommitMark;
}

/// Whether what commits was sent to the database and not answered yet, or never. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CommitMark {
    sent: Arc<AtomicBool>,
    /// Of requests that are committed together with this one.
    others: Arc<[CommitMark]>,
}

impl CommitMark {
    /// Runs a request, whose mark this is.
    pub async fn follow<F: Future>(&self, request: F) -> F::Output {
        MARK.scope(self.clone(), request).await
    }

    /// Whether it was sent, and its answer is not there.
    pub fn is_set(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// The mark of the request that runs now.
    pub(crate) fn current() -> Self {
        MARK.try_with(Self::clone).unwrap_or_default()
    }

    /// One that is set when each of these is.
    pub(crate) fn of_all(marks: impl IntoIterator<Item = Self>) -> Self {
        Self { sent: Arc::default(), others: marks.into_iter().collect() }
    }

    fn set(&self, sent: bool) {
        self.sent.store(sent, Ordering::Relaxed);
        for mark in &*self.others {
            mark.set(sent);
        }
    }
}

/// Sends what commits: COMMIT, or a statement that is a transaction by itself. The mark of the request that
/// runs now is set until the answer is there; when that is lost, it stays set.
pub(crate) async fn marking<T>(commit: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let mark = CommitMark::current();
    mark.set(true);
    let answer = commit.await;
    if !matches!(&answer, Err(error) if is_answer_lost(error)) {
        mark.set(false);
    }
    answer
}
