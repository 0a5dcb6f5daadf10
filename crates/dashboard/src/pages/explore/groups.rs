//! The schedules of an exploration in groups: those with the same outcome belong together.

use std::collections::BTreeMap;

use crate::engine_messages::{BrokenRule, ExploredSchedule};

/// Schedules with the same outcome.
pub struct ScheduleGroup {
    /// The mark in each cell. Colours alone are not for everybody.
    pub mark: &'static str,
    /// The colour's name in the style sheet.
    pub class: &'static str,
    /// What came of these schedules.
    pub outcome: String,
    pub cells: Vec<ScheduleCell>,
}

/// A schedule.
pub struct ScheduleCell {
    pub letters: String,
    /// What a screen reader says.
    pub says: String,
    pub switches: usize,
}

/// The groups. The worst one comes first, and in each of them the schedules with the fewest switches.
pub fn groups(schedules: &[ExploredSchedule]) -> Vec<ScheduleGroup> {
    type Outcome = (bool, Option<BrokenRule>, bool, usize, i64, Vec<Option<u16>>);
    let mut groups: BTreeMap<Outcome, Vec<ScheduleCell>> = BTreeMap::new();
    for schedule in schedules {
        let ExploredSchedule { letters, flaw, has_waited, left, orders, answers } = schedule;
        let mut answers = answers.clone();
        answers.sort_unstable();
        // Those without a flaw come last.
        let outcome = (flaw.is_none(), *flaw, *has_waited, *orders, *left, answers);
        let cell = ScheduleCell {
            letters: letters.clone(),
            says: format!("Schedule {letters}: {}", words(*flaw)),
            switches: switches(letters),
        };
        groups.entry(outcome).or_default().push(cell);
    }
    let group = |((_, flaw, has_waited, orders, left, answers), mut cells): (Outcome, Vec<ScheduleCell>)| {
        cells.sort_by_key(|cell| cell.switches);
        let (mark, class) = mark(flaw, has_waited);
        let answers: Vec<String> = answers
            .iter()
            .map(|answer| answer.map_or("none".to_owned(), |status| status.to_string()))
            .collect();
        let waits = if has_waited { ", with a wait" } else { "" };
        let outcome = format!(
            "{}{waits}. Orders: {orders}, stock: {left}, answers: {}",
            words(flaw),
            answers.join(" and ")
        );
        ScheduleGroup { mark, class, outcome, cells }
    };
    groups.into_iter().map(group).collect()
}

/// What came of a schedule, in two words.
pub fn words(flaw: Option<BrokenRule>) -> &'static str {
    match flaw {
        None => "Right",
        Some(BrokenRule::Oversold) => "Oversold",
        Some(BrokenRule::Dishonest) => "An answer was not true",
        Some(BrokenRule::Unconserved) => "Stock and orders don't add up",
        Some(BrokenRule::LostSale) => "Lost a sale",
        Some(BrokenRule::Failed) => "A request failed",
    }
}

fn mark(flaw: Option<BrokenRule>, has_waited: bool) -> (&'static str, &'static str) {
    match flaw {
        Some(BrokenRule::Oversold) => ("✗", "is-oversold"),
        Some(BrokenRule::Failed) => ("!", "is-failed"),
        Some(_) => ("≠", "is-wrong"),
        None if has_waited => ("◷", "is-right"),
        None => ("✓", "is-right"),
    }
}

/// How often the other purchase goes on.
fn switches(letters: &str) -> usize {
    letters.as_bytes().windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(letters: &str, flaw: Option<BrokenRule>, has_waited: bool) -> ExploredSchedule {
        let answers = vec![Some(200), Some(400)];
        ExploredSchedule { letters: letters.to_owned(), flaw, has_waited, left: 0, orders: 1, answers }
    }

    #[test]
    fn the_worst_group_comes_first_and_in_it_the_schedule_with_the_fewest_switches() {
        let schedules = [
            schedule("AABB", None, false),
            schedule("ABAB", Some(BrokenRule::Oversold), false),
            schedule("ABBA", Some(BrokenRule::Oversold), false),
            schedule("BBAA", None, true),
        ];

        let groups = groups(&schedules);

        let letters: Vec<Vec<&str>> = groups
            .iter()
            .map(|group| group.cells.iter().map(|cell| cell.letters.as_str()).collect())
            .collect();
        assert_eq!(letters, [vec!["ABBA", "ABAB"], vec!["AABB"], vec!["BBAA"]]);
        assert_eq!((groups[0].mark, groups[2].mark), ("✗", "◷"));
    }
}
