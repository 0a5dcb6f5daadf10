//! How the buyers left who leave before their answer, counted. It says whether there were such buyers at all, at every
//! moment of a request's life: a drill in which nobody left has shown nothing.

use std::collections::BTreeMap;
use std::time::Duration;

/// Into so many parts a request's life is divided.
pub const PARTS: usize = 10;
/// In so many of them at least somebody must have left, for each strategy.
pub const PARTS_TO_MEET: usize = 8;

/// Buyers who left, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaving {
    /// Of each strategy.
    pub strategies: BTreeMap<String, Departures>,
    /// Purchases with a key that had been made when their buyers asked again.
    pub made: usize,
    /// Those that had not.
    pub taken_back: usize,
}

/// When buyers of one strategy left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Departures {
    /// Who closed the connection before the answer.
    pub left: usize,
    /// Who meant to, and had the answer first.
    pub answered: usize,
    /// Of those who left, how many in each part of their request's life. Who stayed for longer is in none.
    pub in_part: [usize; PARTS],
    /// How long a request takes to its answer: the longest life of those that were left.
    pub life: Duration,
}

impl Departures {
    /// Notes somebody who left a request that lives for `life`, so long after it was sent.
    pub fn note_left(&mut self, after: Duration, life: Duration) {
        self.left += 1;
        self.life = self.life.max(life);
        let part = (after.as_secs_f64() / life.as_secs_f64() * PARTS as f64) as usize;
        if let Some(count) = self.in_part.get_mut(part) {
            *count += 1;
        }
    }

    /// In how many parts of a request's life somebody left.
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
    /// The sum of several.
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

    /// All who left.
    pub fn left(&self) -> usize {
        self.strategies.values().map(|departures| departures.left).sum()
    }

    /// All who meant to, and had the answer first.
    pub fn answered(&self) -> usize {
        self.strategies.values().map(|departures| departures.answered).sum()
    }

    /// In how many parts of a request's life somebody left: of the strategy in which they are fewest.
    pub fn parts(&self) -> usize {
        self.strategies.values().map(Departures::parts).min().unwrap_or_default()
    }

    /// What is missing of buyers who leave at every moment, also just before COMMIT and just after it; nothing when
    /// there were such.
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
        // In the middle of each part but two.
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
