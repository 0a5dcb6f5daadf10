//! Explores with a trouble once at each statement of the first actor, and puts together what was found.

use std::time::Instant;

use crate::exploration::{Exploration, ExploreOptions, explore};
use crate::schedule::Schedule;
use crate::stage::Stage;
use crate::trouble::{Trouble, TroubleKind};

/// Explores with this trouble at each of the first actor's statements. Returns what was found at each. If the time limit
/// ends it, the last of them is not complete.
///
/// # Errors
/// The same as those of [`explore`].
pub async fn explore_trouble(
    stage: &mut Stage,
    options: &ExploreOptions,
    kind: TroubleKind,
    advance: &(dyn Fn(&Exploration, &Schedule) + Send + Sync),
) -> anyhow::Result<Vec<Exploration>> {
    let (began, mut all) = (Instant::now(), Vec::new());
    for step in 0.. {
        let time_limit = options.time_limit.saturating_sub(began.elapsed());
        let options = ExploreOptions { trouble: Some(Trouble { kind, step }), time_limit, ..options.clone() };
        let exploration = explore(stage, &options, advance).await?;
        // The first actor never sends so many statements.
        let is_last = exploration.troubled == 0;
        if !is_last || !exploration.complete {
            all.push(exploration);
        }
        if is_last {
            break;
        }
    }
    Ok(all)
}

impl Exploration {
    /// What these explorations found together.
    pub fn of_all(explorations: Vec<Self>) -> Self {
        let nothing = Self { complete: !explorations.is_empty(), ..Self::default() };
        explorations.into_iter().fold(nothing, Self::with)
    }

    fn with(mut self, other: Self) -> Self {
        self.schedules += other.schedules;
        self.redundant += other.redundant;
        self.complete &= other.complete;
        self.oversold += other.oversold;
        self.lost_sales += other.lost_sales;
        self.unconserved += other.unconserved;
        self.dishonest += other.dishonest;
        self.failed += other.failed;
        self.deadlocked += other.deadlocked;
        self.waited += other.waited;
        self.not_repeated += other.not_repeated;
        self.difference = self.difference.or(other.difference);
        self.troubled += other.troubled;
        for (answers, count) in other.answers {
            *self.answers.entry(answers).or_default() += count;
        }
        self.outcomes.extend(other.outcomes);
        for (note, count) in other.notes {
            *self.notes.entry(note).or_default() += count;
        }
        self.seconds += other.seconds;
        for schedule in other.counterexample.into_iter().chain(other.example) {
            self.keep(schedule);
        }
        self
    }
}
