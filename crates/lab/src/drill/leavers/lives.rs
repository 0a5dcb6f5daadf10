//! How long a request takes to its answer (its life), and at which moment of its life the buyer leaves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;

/// The number of answered requests that are needed to know a life. Until then every buyer stays for the answer.
const AT_LEAST: usize = 3;
/// The number of answered requests that are kept: the latest ones.
const AT_MOST: usize = 9;
/// One of this many buyers stays for the answer.
const ONE_STAYS_OF: usize = 8;
/// The length of the first and of the last part of a request's life. Most buyers leave in these two parts: the
/// transaction begins in the first one, and is committed in the last one.
const EDGE: Duration = Duration::from_millis(3);
/// In a long life, each of these two parts is this share of the life.
const EDGE_PART: f64 = 1.0 / 8.0;
/// The latest moment to leave, in lives: a little more than one life.
const LATEST: f64 = 1.25;

/// A way to buy: the strategy, and whether there is a key.
pub type Way<'a> = (&'a str, bool);

/// The lives of the latest requests of each way to buy.
#[derive(Default)]
pub struct Lives(Mutex<BTreeMap<(String, bool), VecDeque<Duration>>>);

impl Lives {
    /// Notes the time that a buyer stayed for the answer.
    pub fn note(&self, (strategy, has_key): Way<'_>, took: Duration) {
        let mut lives = self.0.lock();
        let lives = lives.entry((strategy.to_owned(), has_key)).or_default();
        lives.push_back(took);
        if lives.len() > AT_MOST {
            lives.pop_front();
        }
    }

    /// The median of the lives; `None` as long as too few are known.
    pub fn median(&self, (strategy, has_key): Way<'_>) -> Option<Duration> {
        let lives = self.0.lock();
        let mut lives: Vec<Duration> = lives.get(&(strategy.to_owned(), has_key))?.iter().copied().collect();
        lives.sort_unstable();
        (lives.len() >= AT_LEAST).then(|| lives[lives.len() / 2])
    }
}

/// When to leave a request that lives for `life`, counted from the moment when it is sent. `None` means to stay.
pub fn choose_moment(life: Duration, random: &mut Rng) -> Option<Duration> {
    if random.usize(..ONE_STAYS_OF) == 0 {
        return None;
    }
    let edge = EDGE.max(life.mul_f64(EDGE_PART));
    let (from, to) = match random.u8(..6) {
        0..3 => (Duration::ZERO, edge),
        3 | 4 => (Duration::ZERO, life.mul_f64(LATEST)),
        _ => (life.saturating_sub(edge), life + edge),
    };
    Some(from + (to - from).mul_f64(random.f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_millis(100);

    #[test]
    fn a_life_is_known_when_some_have_stayed_and_one_late_answer_does_not_change_it() {
        let lives = Lives::default();
        let way = ("nowait", true);

        lives.note(way, LIFE);
        lives.note(way, LIFE);
        assert_eq!(lives.median(way), None);
        lives.note(way, LIFE * 10);
        assert_eq!(lives.median(way), Some(LIFE));
        assert_eq!(lives.median(("nowait", false)), None);

        (0..AT_MOST).for_each(|_| lives.note(way, LIFE * 2));
        assert_eq!(lives.median(way), Some(LIFE * 2));
    }

    #[test]
    fn somebody_leaves_in_each_tenth_of_a_life_and_somebody_after_it_and_somebody_stays() {
        let mut random = Rng::with_seed(7);
        let moments: Vec<Option<Duration>> = (0..1000).map(|_| choose_moment(LIFE, &mut random)).collect();

        let left_in = |tenth: u128| {
            let tenth_of = |moment: &Duration| moment.as_micros() * 10 / LIFE.as_micros();
            moments.iter().flatten().filter(|moment| tenth_of(moment) == tenth).count()
        };
        assert!((0..12).all(|tenth| left_in(tenth) > 0));
        // More buyers leave where the transaction begins and ends.
        assert!(left_in(0) > 3 * left_in(4) && left_in(9) > left_in(4));
        assert!(moments.contains(&None));
    }
}
