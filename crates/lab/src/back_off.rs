//! How long a buyer waits who was told to try again: exponential back-off with full jitter, which is a random time up
//! to a limit that grows (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
//!
//! `Retry-After` is taken as "you may try again" and not as a time. It counts in whole seconds, and a flash sale is
//! over in one second.

use std::time::Duration;

use fastrand::Rng;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// One buyer's pauses.
pub struct BackOff {
    random: Rng,
    limit: Duration,
}

impl BackOff {
    /// Pauses whose lengths `random` decides.
    pub fn new(random: Rng) -> Self {
        Self { random, limit: FIRST }
    }

    /// The next pause: a random time up to a limit. The limit doubles each time, until it is half a second.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.limit.mul_f64(self.random.f64());
        self.limit = (self.limit * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(seed: u64) -> Vec<Duration> {
        let mut back_off = BackOff::new(Rng::with_seed(seed));
        (0..100).map(|_| back_off.next_pause()).collect()
    }

    #[test]
    fn the_seed_decides_the_pauses() {
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }

    #[test]
    fn pauses_grow_up_to_half_a_second() {
        let pauses = pauses(7);

        assert!(pauses[0] <= FIRST && pauses[1] <= FIRST * 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses.iter().any(|pause| *pause > LONGEST / 2));
    }
}
