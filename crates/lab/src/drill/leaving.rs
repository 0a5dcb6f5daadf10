//! Counts the buyers who leave before their answer. The counts say whether there were such buyers at all, at every
//! moment of a request's life. A drill in which nobody left has shown nothing.

use std::collections::BTreeMap;
use std::time::Duration;

/// A request's life is divided into this many parts.
pub const PARTS: usize = 10;
/// For each strategy, somebody must have left in at least this many parts.
pub const PARTS_TO_MEET: usize = 8;

/// Buyers who left, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaving {
    /// When the buyers of each strategy left.
    pub strategies: BTreeMap<String, Departures>,
    /// Purchases with a key that had been made when their buyers asked again.
    pub made: usize,
    /// Purchases with a key that had not been made when their buyers asked again.
    pub taken_back: usize,
}

/// When buyers of one strategy left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Departures {
    /// Buyers who closed the connection before the answer.
    pub left: usize,
    /// Buyers who meant to leave, and got the answer first.
    pub answered: usize,
    /// How many buyers left in each part of their request's life. A buyer who stayed longer than that is in no part.
    pub in_part: [usize; PARTS],
    /// How long a request takes to its answer: the longest life of the requests that were left.
    pub life: Duration,
}

impl Departures {
    /// Notes a buyer who left a request. `after` is the time since it was sent, and `life` is the life of such a
    /// request.
    pub fn note_left(&mut self, after: Duration, life: Duration) {
        self.left += 1;
        self.life = self.life.max(life);
        let part = (after.as_secs_f64() / life.as_secs_f64() * PARTS as f64) as usize;
        if let Some(count) = self.in_part.get_mut(part) {
            *count += 1;
        }
    }

    /// The number of parts of a request's life in which somebody left.
    pub fn parts(&self) -> usize {
        self.in_part.iter().filter(|count| **count > 0).count()
    }

    fn add(&mut self, other: &Self) {
        self.left += other.left;
        self.answered += other.answered;
        self.life = self.life.max(other.life);
        for (count, others) in self.in_part.iter_mut().zip(other.in_part) {
            *count += others;
        }
    }
}

impl Leaving {
    /// The sum of several counts.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.made += one.made;
            sum.taken_back += one.taken_back;
            for (strategy, departures) in &one.strategies {
                sum.strategies.entry(strategy.clone()).or_default().add(departures);
            }
        }
        sum
    }

    /// How many buyers left.
    pub fn left(&self) -> usize {
        self.strategies.values().map(|departures| departures.left).sum()
    }

    /// How many buyers meant to leave, and got the answer first.
    pub fn answered(&self) -> usize {
        self.strategies.values().map(|departures| departures.answered).sum()
    }

    /// The number of parts of a request's life in which somebody left, for the strategy with the fewest parts.
    pub fn parts(&self) -> usize {
        self.strategies.values().map(Departures::parts).min().unwrap_or_default()
    }

    /// What is missing. Buyers should leave at every moment, also just before COMMIT and just after it. The list is
    /// empty when they did.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (strategy, departures) in &self.strategies {
            if departures.parts() < PARTS_TO_MEET {
                let (parts, left) = (departures.parts(), departures.left);
                missing.push(format!(
                    "buyers of {strategy} left in {parts} of {PARTS} parts of a request's life only ({left} of them)"
                ));
            }
            if departures.answered == 0 {
                missing.push(format!("no buyer of {strategy} stayed for long enough to be answered"));
            }
        }
        if self.made == 0 {
            missing.push("no purchase had been made when its buyer left".to_owned());
        }
        if self.taken_back == 0 {
            missing.push("no purchase was taken back when its buyer left".to_owned());
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_millis(20);

    fn met() -> Leaving {
        let mut departures = Departures { answered: 1, ..Departures::default() };
        // One buyer leaves in the middle of each part, but not in the last two parts.
        for part in 0..PARTS_TO_MEET as u64 {
            departures.note_left(Duration::from_millis(1 + 2 * part), LIFE);
        }
        let strategies = BTreeMap::from([("nowait".to_owned(), departures)]);
        Leaving { strategies, made: 1, taken_back: 1 }
    }

    #[test]
    fn buyers_who_left_at_nearly_every_moment_are_enough() {
        assert_eq!((met().missing(), met().left(), met().parts()), (vec![], 8, 8));
    }

    #[test]
    fn each_thing_can_be_missing() {
        let missing = |change: fn(&mut Leaving)| {
            let mut leaving = met();
            change(&mut leaving);
            leaving.missing()
        };

        let less = "buyers of nowait left in 7 of 10 parts of a request's life only (8 of them)";
        assert_eq!(missing(|it| it.strategies.get_mut("nowait").unwrap().in_part[0] = 0), [less]);
        assert_eq!(missing(|it| it.strategies.get_mut("nowait").unwrap().answered = 0).len(), 1);
        assert_eq!(missing(|it| it.made = 0), ["no purchase had been made when its buyer left"]);
        assert_eq!(missing(|it| it.taken_back = 0), ["no purchase was taken back when its buyer left"]);
    }

    #[test]
    fn who_stays_longer_than_a_life_has_left_in_no_part_of_it() {
        let mut departures = Departures::default();

        departures.note_left(LIFE, LIFE);

        assert_eq!((departures.left, departures.parts()), (1, 0));
    }

    #[test]
    fn what_several_rounds_have_met_is_met_by_their_sum() {
        let mut halves = [met(), met()];
        for (index, half) in halves.iter_mut().enumerate() {
            let departures = half.strategies.get_mut("nowait").unwrap();
            departures.in_part.iter_mut().skip(index).step_by(2).for_each(|count| *count = 0);
        }

        assert!(halves.iter().all(|half| half.missing().len() == 1));
        assert_eq!(Leaving::sum(&halves).missing(), Vec::<String>::new());
    }
}
