//! COMMIT is the one step of a request that can't be taken back. When its answer is lost, nobody knows whether it was
//! carried out. A [`CommitMark`] says whether a request is at that point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flash_sale_core::database_error::is_answer_lost;
use sea_orm::DbErr;

tokio::task_local! {
    static MARK: CommitMark;
}

/// Says whether a request may be committed without its knowledge. The mark is set while a COMMIT waits for its answer,
/// and stays set when the answer is lost. It is also set while a batch works for the request. Clones share the mark.
#[derive(Clone, Debug, Default)]
pub struct CommitMark {
    sent: Arc<AtomicBool>,
}

impl CommitMark {
    /// Runs a request with this mark.
    pub async fn follow<F: Future>(&self, request: F) -> F::Output {
        MARK.scope(self.clone(), request).await
    }

    /// Whether the request may be committed, now or later.
    pub fn is_set(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// The mark of the request that runs now.
    pub(crate) fn current() -> Self {
        MARK.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs work for several requests together. The work goes on when one of the requests is given up, so the marks of
    /// all of them are set from the beginning to the answer. When the answer is lost, they stay set.
    pub(crate) async fn follow_for_all<F: Future>(marks: &[Self], work: F) -> F::Output {
        let set_all = |sent| marks.iter().for_each(|mark| mark.set(sent));
        set_all(true);
        let of_work = Self::default();
        let output = of_work.follow(work).await;
        set_all(of_work.is_set());
        output
    }

    fn set(&self, sent: bool) {
        self.sent.store(sent, Ordering::Relaxed);
    }
}

/// Sends COMMIT, or a statement that is a transaction by itself. The mark of the request that runs now is set until the
/// answer is there. When the answer is lost, the mark stays set.
pub(crate) async fn marking<T>(commit: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let mark = CommitMark::current();
    mark.set(true);
    let answer = commit.await;
    if !matches!(&answer, Err(error) if is_answer_lost(error)) {
        mark.set(false);
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use sea_orm::RuntimeErr;
    use sea_orm::sqlx::Error;

    use super::*;

    /// A batch may be between two attempts, or at its first statement: its buyers can't be told that nothing will
    /// happen.
    #[tokio::test]
    async fn whoever_is_in_a_batch_may_be_sold_to_until_it_is_answered() {
        let buyers = [CommitMark::default(), CommitMark::default()];
        let is_set = || buyers.iter().map(CommitMark::is_set).collect::<Vec<_>>();

        let refused = CommitMark::follow_for_all(&buyers, async {
            assert_eq!(is_set(), [true, true], "before anything is sent");
            assert!(!CommitMark::current().is_set(), "an error would be an answer");
            let refused = marking(ready(Err::<(), _>(DbErr::RecordNotInserted))).await;
            assert_eq!(is_set(), [true, true], "it may be tried again");
            refused
        });

        assert!(refused.await.is_err());
        assert_eq!(is_set(), [false, false]);
    }

    #[tokio::test]
    async fn a_batch_whose_answer_is_lost_leaves_all_its_buyers_unknown() {
        let buyers = [CommitMark::default(), CommitMark::default()];
        let lost = DbErr::Query(RuntimeErr::SqlxError(Arc::new(Error::WorkerCrashed)));

        let answer = CommitMark::follow_for_all(&buyers, marking(ready(Err::<(), _>(lost)))).await;

        assert!(answer.is_err());
        assert!(buyers.iter().all(CommitMark::is_set));
    }
}
