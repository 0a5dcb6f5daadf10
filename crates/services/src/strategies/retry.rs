//! Makes attempts again: a limited number of times, after pauses of random length.

use std::time::{Duration, Instant};

use flash_sale_core::limits::LATEST_ATTEMPT;

use crate::error::ServiceError;
use crate::failure::Failure;

/// Attempts for one request, the first included.
const MOST_ATTEMPTS: u32 = 10;
/// The longest pause after the first attempt; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(128);

/// Makes `attempt` until it sells or is refused. [`ServiceError::Busy`] when other buyers were faster each time.
pub(super) async fn until_settled<T, F>(attempt: impl FnMut() -> F) -> Result<T, ServiceError>
where
    F: Future<Output = Result<T, Failure>>,
{
    until_settled_pausing(attempt, tokio::time::sleep).await
}

/// As [`until_settled`], with any way to pause. There is a pause only where another attempt follows.
async fn until_settled_pausing<T, F, P>(
    mut attempt: impl FnMut() -> F,
    mut pause: impl FnMut(Duration) -> P,
) -> Result<T, ServiceError>
where
    F: Future<Output = Result<T, Failure>>,
    P: Future<Output = ()>,
{
    let begun = Instant::now();
    for number in 0..MOST_ATTEMPTS {
        match attempt().await {
            Ok(sold) => return Ok(sold),
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Overtaken) => {}
        }
        let length = pause_after(number);
        if number + 1 == MOST_ATTEMPTS || begun.elapsed() + length > LATEST_ATTEMPT {
            break;
        }
        pause(length).await;
    }
    Err(ServiceError::Busy)
}

/// A random pause, from nothing to the longest, so that buyers who have met don't meet again ("full jitter").
fn pause_after(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn it_gives_up_after_ten_attempts_and_pauses_only_between_them() {
        let steps = RefCell::new(String::new());
        let overtaken = || {
            steps.borrow_mut().push('a');
            ready(Err::<(), _>(Failure::Overtaken))
        };
        let pause = |_| {
            steps.borrow_mut().push('-');
            ready(())
        };

        let settled = until_settled_pausing(overtaken, pause).await;

        assert!(matches!(settled, Err(ServiceError::Busy)));
        assert_eq!(steps.into_inner(), "a-a-a-a-a-a-a-a-a-a");
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let mut attempts = 0;

        let settled = until_settled(|| {
            attempts += 1;
            ready(Err::<(), _>(Failure::Refused(ServiceError::OutOfStock)))
        })
        .await;

        assert!(matches!(settled, Err(ServiceError::OutOfStock)));
        assert_eq!(attempts, 1);
    }

    #[test]
    fn pauses_grow_up_to_a_limit_and_differ() {
        assert!((0..100).all(|_| pause_after(0) <= FIRST_PAUSE));
        assert!((0..100).all(|_| pause_after(40) <= LONGEST_PAUSE));
        assert!((0..100).any(|_| pause_after(40) > LONGEST_PAUSE / 2));
        assert_ne!(pause_after(40), pause_after(40));
    }
}
