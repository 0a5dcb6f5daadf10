//! A read that many ask for at the same time, and that is made once for all of them (request coalescing, also known as
//! single flight). Nobody is told what was read before they asked: while a read runs, those who come wait for the next
//! one. So the answer is as new as that of a read of one's own.

use std::hash::Hash;

use futures::future::join_all;
use tokio::sync::oneshot;

use crate::error::ServiceError;
use crate::log_context::LogContext;
use crate::queue::{Counter, Full, Queues};

/// Who waits for what is read, and for which request.
struct Reader<T> {
    log_context: LogContext,
    answer: oneshot::Sender<Result<T, ServiceError>>,
}

/// Reads of one kind, told apart by a key `K`. Clones share them.
pub(crate) struct SharedRead<K, T>(Queues<K, Reader<T>>);

impl<K, T> SharedRead<K, T>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Nobody reads yet.
    pub fn new() -> Self {
        // A replica works on a limited number of requests, and each of them waits once.
        Self(Queues::new(usize::MAX))
    }

    /// What `read` returns. The read begins after this call, and may be shared with others who call this with the same
    /// `key`. When it fails, all of them are told the same.
    ///
    /// # Errors
    /// As `read`; [`ServiceError::Interrupted`] when the task that reads has ended.
    pub async fn get<R>(
        &self,
        key: K,
        read: impl Fn() -> R + Send + Sync + 'static,
    ) -> Result<T, ServiceError>
    where
        R: Future<Output = Result<T, ServiceError>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let reader = Reader { log_context: LogContext::current(), answer };
        if let Some(counter) = self.0.join(key, reader).map_err(|Full| ServiceError::Overloaded)? {
            tokio::spawn(read_while_somebody_waits(counter, read));
        }
        answered.await.unwrap_or_else(|_| Err(ServiceError::interrupted()))
    }
}

impl<K, T> Clone for SharedRead<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The task. A read for which nobody waits any more is dropped, as a request whose client has left.
async fn read_while_somebody_waits<K, T, R>(mut counter: Counter<K, Reader<T>>, read: impl Fn() -> R)
where
    K: Copy + Eq + Hash,
    T: Clone,
    R: Future<Output = Result<T, ServiceError>>,
{
    loop {
        let mut readers = counter.take_waiting(usize::MAX);
        if readers.is_empty() {
            return;
        }
        readers.retain(|reader| !reader.answer.is_closed());
        if readers.is_empty() {
            continue;
        }
        let log_context = LogContext::of_all(readers.iter().map(|reader| &reader.log_context));
        let everybody_has_left = join_all(readers.iter_mut().map(|reader| reader.answer.closed()));
        let answer = tokio::select! {
            answer = log_context.follow(read()) => answer,
            _ = everybody_has_left => continue,
        };
        for reader in readers {
            // A reader who has left by now gets nothing.
            let _ = reader.answer.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use parking_lot::Mutex;
    use tokio::task::yield_now;

    use super::*;

    type Read = Result<usize, ServiceError>;

    /// Counts the reads, each of which is answered by hand, with its number.
    #[derive(Clone, Default)]
    struct Source {
        begun: Arc<Mutex<Vec<oneshot::Sender<Read>>>>,
        ended: Arc<AtomicUsize>,
    }

    struct Ended(Arc<AtomicUsize>);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Source {
        async fn read(self) -> Read {
            let _ended = Ended(self.ended);
            let (answer, answered) = oneshot::channel();
            self.begun.lock().push(answer);
            answered.await.expect("the test answers")
        }

        fn ask(&self, shared: &SharedRead<u8, usize>, key: u8, times: usize) -> Vec<oneshot::Receiver<Read>> {
            let ask = || {
                let (source, shared) = (self.clone(), shared.clone());
                let (tell, told) = oneshot::channel();
                tokio::spawn(async move {
                    let answer = shared.get(key, move || source.clone().read()).await;
                    let _ = tell.send(answer);
                });
                told
            };
            (0..times).map(|_| ask()).collect()
        }

        fn begun(&self) -> usize {
            self.begun.lock().len()
        }

        fn answer(&self, with: Read) {
            self.begun.lock().remove(0).send(with).expect("the read waits");
        }
    }

    /// Lets all tasks go on until they wait.
    async fn settle() {
        for _ in 0..20 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_comes_during_a_read_gets_the_next_one_and_shares_it() {
        let (source, shared) = (Source::default(), SharedRead::new());
        let first = source.ask(&shared, 1, 1);
        settle().await;
        let later = source.ask(&shared, 1, 3);
        let of_another_key = source.ask(&shared, 2, 1);
        settle().await;
        assert_eq!(source.begun(), 2, "one for each key");

        source.answer(Ok(1));
        settle().await;
        source.answer(Ok(2));
        settle().await;
        assert_eq!(source.begun(), 1, "one for all who came later");
        source.answer(Ok(3));

        for (answers, expected) in [(first, 1), (of_another_key, 2), (later, 3)] {
            for answer in answers {
                assert_eq!(answer.await.unwrap().unwrap(), expected);
            }
        }
        settle().await;
        assert_eq!(shared.0.count_waiting(1), None);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_those_who_share_it_and_the_next_one_reads_again() {
        let (source, shared) = (Source::default(), SharedRead::new());
        let answers = source.ask(&shared, 1, 2);
        settle().await;
        source.answer(Err(ServiceError::ProductNotFound));
        for answer in answers {
            assert!(matches!(answer.await.unwrap(), Err(ServiceError::ProductNotFound)));
        }

        let again = source.ask(&shared, 1, 1);
        settle().await;
        source.answer(Ok(7));
        assert_eq!(again.into_iter().next().unwrap().await.unwrap().unwrap(), 7);
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_any_more_is_dropped() {
        let (source, shared) = (Source::default(), SharedRead::new());
        let reader = tokio::spawn({
            let (source, shared) = (source.clone(), shared.clone());
            async move { shared.get(1, move || source.clone().read()).await }
        });
        settle().await;
        assert_eq!((source.begun(), source.ended.load(Ordering::Relaxed)), (1, 0));

        reader.abort();
        settle().await;

        assert_eq!(source.ended.load(Ordering::Relaxed), 1);
        assert_eq!(shared.0.count_waiting(1), None);
    }
}
