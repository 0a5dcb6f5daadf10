//! Goes through all schedules, depth first: after each play, it goes back to the last step at which another actor could
//! have gone on, and plays the schedule in which that actor does.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::footprint::{Footprint, isolates_more};
use crate::piece::Piece;
use crate::play::{Choice, play};
use crate::schedule::{NotPossible, Schedule, letter, trouble_at};
use crate::sleep::SleepSet;
use crate::stage::Stage;

/// How often a schedule that doesn't repeat itself is tried again.
const TRIES: usize = 3;

/// A step at which actors could go on.
struct Node {
    /// The actors that could go on, with their statements.
    can_go_on: Vec<(usize, Arc<str>, bool)>,
    /// The actors from here on that have been or will be chosen, in order; the last one is the present choice.
    chosen: Vec<usize>,
    /// The actors that need not go on here.
    sleep: SleepSet,
}

/// A walk through all schedules.
pub(crate) struct Search {
    path: Vec<Node>,
    /// Whether schedules are left out from which nothing new can come.
    is_reduced: bool,
    tables: BTreeSet<String>,
    is_over: bool,
}

/// What the next play was.
pub(crate) enum Found {
    /// A schedule.
    Schedule(Schedule),
    /// A schedule from which nothing new could come. It was played to its end.
    Redundant,
    /// The requests didn't do the same again up to the place where another actor should have gone on. It says what was
    /// different.
    NotRepeated(String),
}

impl Search {
    pub(crate) fn new(is_reduced: bool, tables: BTreeSet<String>) -> Self {
        Self { path: Vec::new(), is_reduced, tables, is_over: false }
    }

    /// Plays the next schedule. `None`: there is none left.
    pub(crate) async fn next(&mut self, stage: &mut Stage, piece: &Piece) -> anyhow::Result<Option<Found>> {
        if self.is_over {
            return Ok(None);
        }
        let mut found = Found::NotRepeated("it ended sooner".to_owned());
        for _ in 0..TRIES {
            let (mut at, mut is_redundant, mut is_repeated) = (0, false, true);
            let planned = self.path.len();
            let (mut fresh, mut difference): (Vec<Node>, _) = (Vec::new(), None);
            let schedule = play(stage, piece, |choice| {
                let actor = if at < planned && is_repeated {
                    let node = &self.path[at];
                    is_repeated = node.can_go_on == choice.can_go_on;
                    if !is_repeated {
                        difference = Some(in_words(at, &node.can_go_on, choice.can_go_on));
                    }
                    node.chosen.last().copied().filter(|_| is_repeated).unwrap_or(choice.can_go_on[0].0)
                } else if !is_repeated || is_redundant {
                    choice.can_go_on[0].0
                } else {
                    let above = fresh.last().or(self.path.last());
                    let node = self.open(above, choice, piece);
                    let actor = node.chosen.last().copied();
                    is_redundant = actor.is_none();
                    if actor.is_some() {
                        fresh.push(node);
                    }
                    actor.unwrap_or(choice.can_go_on[0].0)
                };
                at += 1;
                Ok(actor)
            })
            .await?;
            if is_repeated && at >= planned {
                self.path.extend(fresh);
                found = if is_redundant { Found::Redundant } else { Found::Schedule(schedule) };
                break;
            }
            found = difference.map_or(found, Found::NotRepeated);
        }
        self.turn_back();
        Ok(Some(found))
    }

    /// A node that is reached for the first time.
    fn open(&self, above: Option<&Node>, choice: &Choice<'_>, piece: &Piece) -> Node {
        let sleep = match above {
            Some(node) if self.is_reduced => self.sleep_below(node, choice, piece),
            _ => SleepSet::default(),
        };
        let last = choice.steps.last().map(|step| step.actor);
        let awake =
            || choice.can_go_on.iter().map(|(actor, ..)| *actor).filter(|actor| !sleep.contains(*actor));
        // The same actor goes on as long as it can: so the first schedules have the fewest switches.
        let first = awake().find(|actor| Some(*actor) == last).or_else(|| awake().next());
        Node { can_go_on: choice.can_go_on.to_vec(), chosen: first.into_iter().collect(), sleep }
    }

    fn sleep_below(&self, node: &Node, choice: &Choice<'_>, piece: &Piece) -> SleepSet {
        let Some((step, before)) = choice.steps.split_last() else { return SleepSet::default() };
        if isolates_more(choice.steps.iter().map(|step| &*step.sql)) {
            return SleepSet::default();
        }
        let touched = |sql: &str, actor: usize| match trouble_at(piece, actor, before) {
            Some(_) => Footprint::in_trouble(sql, actor, before, &self.tables),
            None => Footprint::of(sql, actor, before, &self.tables),
        };
        let footprint = touched(&step.sql, step.actor);
        let mut sleep = node.sleep.clone();
        for (actor, sql, _) in &node.can_go_on {
            if *actor != step.actor && node.chosen.contains(actor) {
                sleep.add(*actor, touched(sql, *actor));
            }
        }
        sleep.after(step.actor, &footprint)
    }

    /// Goes back to the last node at which another actor could go on.
    fn turn_back(&mut self) {
        while let Some(node) = self.path.last_mut() {
            let mut other = node.can_go_on.iter().map(|(actor, ..)| *actor);
            let other = other.find(|actor| !node.chosen.contains(actor) && !node.sleep.contains(*actor));
            if let Some(actor) = other {
                node.chosen.push(actor);
                return;
            }
            self.path.pop();
        }
        self.is_over = true;
    }
}

/// How the actors that can go on differ from those of an earlier play.
fn in_words(at: usize, before: &[(usize, Arc<str>, bool)], now: &[(usize, Arc<str>, bool)]) -> String {
    let list = |actors: &[(usize, Arc<str>, bool)]| {
        let actors = actors.iter().map(|(actor, sql, _)| format!("{} with {sql}", letter(*actor)));
        actors.collect::<Vec<_>>().join(", ")
    };
    format!("at step {}, these could go on: {}. The next time: {}", at + 1, list(before), list(now))
}

/// Plays the schedule whose actors these letters name. After the last letter, the actors go on one after the other. A
/// schedule that doesn't go that way is tried again: on a busy machine, PostgreSQL may end another wait of a deadlock.
pub(crate) async fn replay(stage: &mut Stage, piece: &Piece, letters: &[usize]) -> anyhow::Result<Schedule> {
    let mut tries = 1;
    loop {
        match replay_once(stage, piece, letters).await? {
            Ok(schedule) => return Ok(schedule),
            Err(not_possible) if tries == TRIES => return Err(not_possible.into()),
            Err(_) => tries += 1,
        }
    }
}

async fn replay_once(
    stage: &mut Stage,
    piece: &Piece,
    letters: &[usize],
) -> anyhow::Result<Result<Schedule, NotPossible>> {
    let (mut at, mut not_possible) = (0, None);
    let schedule = play(stage, piece, |choice| {
        let wanted = letters.get(at).copied();
        at += 1;
        let is_possible = |actor: &usize| choice.has(*actor);
        if let Some(actor) = wanted.filter(|wanted| !is_possible(wanted)) {
            not_possible.get_or_insert(NotPossible { step: at, actor });
        }
        // The play goes on to its end, so that nothing is left held.
        Ok(wanted.filter(is_possible).unwrap_or(choice.can_go_on[0].0))
    })
    .await?;
    Ok(not_possible.map_or(Ok(schedule), Err))
}
