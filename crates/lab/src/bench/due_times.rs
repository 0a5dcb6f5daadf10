//! When the purchases of an open loop are due: at a fixed rate, whatever the shop does meanwhile.

use std::time::{Duration, Instant};

/// The moments at which the purchases of one round are due.
#[derive(Clone, Copy, Debug)]
pub struct DueTimes {
    start: Instant,
    rate: f64,
    /// How many purchases there are.
    pub count: usize,
}

impl DueTimes {
    /// `rate` purchases in each second, for so many seconds from `start` on.
    pub fn new(start: Instant, rate: f64, seconds: f64) -> Self {
        Self { start, rate, count: ((rate * seconds).round() as usize).max(1) }
    }

    /// When purchase `number` (from 0) is due. Each time is counted from the start, so that errors don't add up.
    /// `None`: there are no more purchases.
    pub fn due(&self, number: usize) -> Option<Instant> {
        let due = || self.start + Duration::from_secs_f64(number as f64 / self.rate);
        (number < self.count).then(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purchases_are_due_at_the_rate_and_end_with_the_round() {
        let start = Instant::now();
        let times = DueTimes::new(start, 200.0, 0.05);

        assert_eq!(times.count, 10);
        assert_eq!(times.due(0), Some(start));
        assert_eq!(times.due(9), Some(start + Duration::from_millis(45)));
        assert_eq!(times.due(10), None);
    }

    #[test]
    fn a_long_round_does_not_drift() {
        let start = Instant::now();
        let times = DueTimes::new(start, 3.0, 3600.0);

        assert_eq!(times.due(3 * 3599), Some(start + Duration::from_secs(3599)));
    }
}
