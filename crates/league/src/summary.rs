//! The sums: how often each judge was right.

use flash_sale_lab::table::{align, with_heading};

use crate::league::Standings;
use crate::opinion::Score;
use crate::row::Judge;

/// How often a judge was right, and how often it was wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Wrong variants that it has caught.
    pub caught: usize,
    /// Wrong variants that it has missed.
    pub missed: usize,
    /// Right variants that it has cleared.
    pub cleared: usize,
    /// Right variants that it has accused.
    pub falsely_accused: usize,
    /// Variants of which it said nothing.
    pub no_opinion: usize,
    /// Variants that oversell, and how many of them it has caught.
    pub oversells: (usize, usize),
    /// The median of its times, in seconds.
    pub seconds: f64,
}

impl Sums {
    /// The sums of one judge.
    pub fn of(judge: Judge, standings: &Standings) -> Self {
        let mut sums = Self::default();
        let mut seconds = Vec::new();
        for row in &standings.rows {
            let score = row.score(judge);
            match score {
                Score::Caught => sums.caught += 1,
                Score::Missed => sums.missed += 1,
                Score::Cleared => sums.cleared += 1,
                Score::FalselyAccused => sums.falsely_accused += 1,
                Score::NoOpinion => sums.no_opinion += 1,
            }
            if row.variant.outcome.oversells() {
                sums.oversells.0 += 1;
                sums.oversells.1 += usize::from(score == Score::Caught);
            }
            let own = row.foretold.as_ref().filter(|_| judge == Judge::Prediction).map(|it| it.seconds);
            seconds.extend(own.or(row.seconds.get(judge as usize).copied()));
        }
        seconds.sort_by(f64::total_cmp);
        sums.seconds = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
        sums
    }
}

/// How many mistakes have a name to get, and how many of them got it.
pub fn named(standings: &Standings) -> (usize, usize) {
    let named: Vec<bool> = standings.rows.iter().filter_map(|row| row.is_named()).collect();
    (named.len(), named.iter().filter(|is_named| **is_named).count())
}

/// The sums for a terminal.
pub fn text(standings: &Standings) -> String {
    let heading = ["judge", "caught", "missed", "cleared", "falsely accused", "no opinion", "median s"];
    let rows = Judge::ALL.into_iter().map(|judge| {
        let sums = Sums::of(judge, standings);
        let counts = [sums.caught, sums.missed, sums.cleared, sums.falsely_accused, sums.no_opinion];
        let mut row = vec![judge.heading().trim_matches('`').to_owned()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(format!("{:.1}", sums.seconds));
        row
    });
    let (mistakes, right) = named(standings);
    format!(
        "{}\n{right} of {mistakes} mistakes got their name. {} variants, {:.0} s.\n",
        align(&with_heading(heading, rows)),
        standings.rows.len(),
        standings.seconds
    )
}
