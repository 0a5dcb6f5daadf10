//! Percentiles, and times in the unit of the reports.

use std::time::Duration;

/// Percentiles of how long buyers waited, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    /// Half of the buyers waited no longer than this.
    pub p50: f64,
    /// 95 of 100 buyers waited no longer than this.
    pub p95: f64,
    /// 99 of 100 buyers waited no longer than this.
    pub p99: f64,
}

impl Waits {
    /// The percentiles of these times; `None` when there are no times.
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let percentile = |percent| nearest_rank(&times, percent).map(milliseconds);
        Some(Self { p50: percentile(50)?, p95: percentile(95)?, p99: percentile(99)? })
    }
}

/// The time in milliseconds, as reports give it.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The time in the middle; `None` when there are no times.
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    nearest_rank(&times, 50)
}

/// The smallest of the sorted values that at least `percent` percent of the values don't exceed. So it is always a
/// value that was measured.
fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred: Vec<u32> = (1..=100).collect();

        assert_eq!(
            [50, 95, 99].map(|percent| nearest_rank(&hundred, percent)),
            [Some(50), Some(95), Some(99)]
        );
        assert_eq!(
            [50, 95, 99].map(|percent| nearest_rank(&[1, 2, 3], percent)),
            [Some(2), Some(3), Some(3)]
        );
        assert_eq!(nearest_rank(&[7], 50), Some(7));
        assert_eq!(nearest_rank::<u32>(&[], 50), None);
    }

    #[test]
    fn waits_need_no_order_and_at_least_one() {
        let times = [30, 10, 20].map(Duration::from_millis).to_vec();

        assert_eq!(Waits::of(times), Some(Waits { p50: 20.0, p95: 30.0, p99: 30.0 }));
        assert_eq!(Waits::of(Vec::new()), None);
    }
}
