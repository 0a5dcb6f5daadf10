//! The proof: two purchases of one copy, with their statements in every order in which they can follow one another.
//! They are played on the learner's own build, on a stage of the explorer's own. Start with [`play`].

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use flash_sale_diagnosis::sql::label;
use flash_sale_explorer::{
    Exploration, ExploreOptions, Meeting, Note, Outcome, Schedule, Stage, explore, letter,
};
use flash_sale_testbed::postgres::Programs;
use flash_sale_testbed::reason::told;
use flash_sale_wiretap::Recorder;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::part::{Part, Say};
use super::played::Interleavings;
use super::verdict::Check;
use super::witness::Witness;
use crate::explore::report::{replay_command, whole_statements};
use crate::project::PROGRAMS;
use crate::stage;
use crate::wording::counted;

/// The name of the check.
pub const NAME: &str = "every interleaving";

const PURCHASES: usize = 2;
/// A stage is open after a second. The first one of a checkout also makes the files of its PostgreSQL.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
/// No interleaving begins later. The fix of the walkthrough needs a tenth of it.
const TIME: Duration = Duration::from_secs(3);
/// An interleaving that has begun may take so long. PostgreSQL ends a deadlock sooner.
const LAST_PLAY: Duration = Duration::from_secs(1);
/// After a broken rule, the verdict is clear. The time is for more examples, of which the shortest one is shown.
const TIME_AFTER_BREAK: Duration = Duration::from_millis(400);
/// So many are played after a broken rule, if there is time: a slow machine then shows the same shortest one as a fast one.
const FEWEST_WITH_BREAK: usize = 20;
const PLAYS_PER_LINE: usize = 10;

/// What was seen while the interleavings were played.
#[derive(Default)]
struct Watched {
    exploration: Exploration,
    sold_once: usize,
    first_broken: Option<Schedule>,
    witness: Witness,
    /// A request was given up. It may go on in a later interleaving, so nothing is counted any more.
    is_disturbed: bool,
}

impl Watched {
    /// Takes an interleaving in. Returns whether it breaks a rule.
    fn add(&mut self, exploration: &Exploration, schedule: &Schedule, recorder: &Recorder) -> bool {
        self.is_disturbed |= schedule.notes.contains(&Note::WaitedInTheShop);
        self.witness.look(schedule, recorder);
        if self.is_disturbed {
            return false;
        }
        self.exploration = exploration.clone();
        self.sold_once += usize::from(is_sold_once(&schedule.outcome));
        let is_broken = schedule.outcome.breaks_a_rule();
        if is_broken && self.first_broken.is_none() {
            self.first_broken = Some(schedule.clone());
        }
        is_broken
    }
}

fn is_sold_once(outcome: &Outcome) -> bool {
    outcome.orders == 1 && outcome.left == 0
}

/// Opens the stage for this program of the shop. Without a program, or without PostgreSQL's programs, there is none,
/// and the reason is returned.
pub async fn open(binary: Option<&Path>) -> Part<Stage> {
    let opening = async {
        let binary = binary.context("the shop's program and PostgreSQL's are not here")?;
        // The explorer would fetch them, which takes minutes.
        let are_there = || anyhow::Ok(Programs::find(None)?.is_some() || Path::new(PROGRAMS).is_dir());
        ensure!(tokio::task::spawn_blocking(are_there).await??, "PostgreSQL's programs are not here");
        Stage::open(&stage::settings(binary, PURCHASES)?).await
    };
    match timeout(OPEN_LIMIT, opening).await {
        Ok(opened) => opened.map_err(|error| told(&error)),
        Err(_) => Err(format!("the stage did not open within {} s", OPEN_LIMIT.as_secs())),
    }
}

/// Plays the interleavings, and closes the stage. Returns a reason when nothing could be seen: this is the explorer's
/// trouble, or a shop that sells to nobody. The other parts of the check find the second.
pub async fn play(stage: Part<Stage>, say: Say<'_>) -> Part<Interleavings> {
    let mut stage = stage?;
    let options = ExploreOptions { time_limit: TIME, ..ExploreOptions::of_purchases(None, PURCHASES, 1) };
    // This is for the diagnosis. Without an answer, it can say less.
    let is_one_at_a_time = matches!(stage.meet_in_one_replica(&options).await, Ok(Meeting::InTheReplica));
    let recorder = stage.recorder().clone();
    let watched = Watched { witness: Witness::from_now(&recorder), ..Watched::default() };
    let seen = Mutex::new(watched);
    let (broken, enough, disturbed) = (Notify::new(), Notify::new(), Notify::new());
    let advance = |exploration: &Exploration, schedule: &Schedule| {
        if exploration.schedules % PLAYS_PER_LINE == 1 {
            say(&format!("two purchases, one copy: interleaving {}", exploration.schedules));
        }
        let mut seen = seen.lock();
        if seen.add(exploration, schedule, &recorder) {
            broken.notify_one();
        }
        if exploration.schedules >= FEWEST_WITH_BREAK {
            enough.notify_one();
        }
        if seen.is_disturbed {
            disturbed.notify_one();
        }
    };
    let began = tokio::time::Instant::now();
    let broken_long_ago = async {
        broken.notified().await;
        sleep(TIME_AFTER_BREAK).await;
        enough.notified().await;
    };
    let ended = tokio::select! {
        ended = explore(&mut stage, &options, &advance) => ended.map(Some),
        () = broken_long_ago => Ok(None),
        () = disturbed.notified() => Err(anyhow::anyhow!("a request did nothing for a second")),
        () = sleep(TIME + LAST_PLAY) => Ok(None),
    };
    let mut seen = seen.into_inner();
    let trouble = ended.as_ref().err().map(told);
    if let Ok(Some(exploration)) = ended
        && !seen.is_disturbed
    {
        seen.exploration = exploration;
    }
    let purchases = std::mem::take(&mut seen.witness).purchases(&recorder);
    let played = Interleavings { purchases, is_one_at_a_time, ..seen.sum_up(began.elapsed()) };
    if played.sold_once == 0 && !played.breaks_a_rule() {
        let nothing = || format!("{} played, and nothing sold", counted(played.schedules, "interleaving"));
        return Err(trouble.unwrap_or_else(nothing));
    }
    Ok(played)
}

impl Watched {
    fn sum_up(self, took: Duration) -> Interleavings {
        let Self { exploration, sold_once, first_broken, .. } = self;
        let worst = exploration.counterexample.filter(|schedule| schedule.outcome.breaks_a_rule());
        let worst = worst.or(first_broken);
        Interleavings {
            schedules: exploration.schedules,
            complete: exploration.complete,
            sold_once,
            oversold: exploration.oversold,
            lost_sales: exploration.lost_sales,
            unconserved: exploration.unconserved,
            dishonest: exploration.dishonest,
            failed: exploration.failed,
            deadlocked: exploration.deadlocked,
            waited: exploration.waited,
            seconds: took.as_secs_f64(),
            counterexample: worst.as_ref().map(Schedule::letters),
            replay_arguments: worst.as_ref().map_or("", |schedule| whole_statements(&schedule.steps)),
            steps: worst.as_ref().map(in_words),
            ..Interleavings::default()
        }
    }
}

/// "A: BEGIN, SELECT. B: BEGIN, SELECT, INSERT."
fn in_words(schedule: &Schedule) -> String {
    let groups = schedule.steps.chunk_by(|one, next| one.actor == next.actor).map(|steps| {
        let words: Vec<String> = steps.iter().map(|step| label(&step.sql)).collect();
        format!("{}: {}.", letter(steps[0].actor), words.join(", "))
    });
    groups.collect::<Vec<_>>().join(" ")
}

/// No interleaving breaks a rule. `None`: they could not be played, which is nobody's mistake.
pub fn judge(played: &Part<Interleavings>) -> Option<Check> {
    let played = played.as_ref().ok()?;
    let what = if played.oversold > 0 {
        "Two purchases can sell the one copy twice"
    } else if played.unconserved > 0 {
        "Two purchases can leave an order without its copy, or take a copy without an order"
    } else if played.dishonest > 0 {
        "A buyer can be told something that is not true"
    } else {
        "A buyer can be told \"Out of stock\" while a copy is left"
    };
    let (letters, steps) =
        (played.counterexample.as_deref().unwrap_or_default(), played.steps.as_deref().unwrap_or_default());
    let command = replay_command(played.replay_arguments, letters);
    let meaning = format!("{what}, in this order: {steps} Play it again: {command}.");
    let check = Check::new(NAME, !played.breaks_a_rule(), played.in_words(), &meaning);
    Some(check.at("Look at what create_order reads, and when: crates/services/src/order_service.rs."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::made_up::oversold_by;

    fn fixed() -> Interleavings {
        let seconds = 0.42;
        Interleavings {
            schedules: 36,
            complete: true,
            sold_once: 36,
            waited: 24,
            seconds,
            ..Default::default()
        }
    }

    fn oversold() -> Interleavings {
        Interleavings {
            schedules: 60,
            sold_once: 6,
            oversold: 54,
            seconds: 0.5,
            counterexample: Some("AABB".to_owned()),
            steps: Some("A: BEGIN, SELECT. B: BEGIN, SELECT.".to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn the_proof_is_a_line_and_says_when_it_is_not_whole() {
        let check = judge(&Ok(fixed())).unwrap();
        assert!(check.passed);
        assert_eq!(check.seen, "36 of 36 interleavings of two purchases: 1 order, stock 0 (0.4 s)");

        let check = judge(&Ok(Interleavings { complete: false, failed: 2, ..fixed() })).unwrap();
        assert!(check.passed, "a buyer who is told of a failure can try again");
        assert!(
            check.seen.starts_with("36 of the first 36 interleavings of two purchases"),
            "{}",
            check.seen
        );
        assert!(
            check
                .seen
                .ends_with("; a request failed: in 2; then the time was up, so the others were not played")
        );

        assert!(judge(&Err("PostgreSQL's programs are not here".to_owned())).is_none());
    }

    #[test]
    fn a_broken_rule_is_shown_by_an_example_and_the_place_is_kept_apart() {
        let check = judge(&Ok(oversold())).unwrap();

        assert!(!check.passed);
        assert_eq!(
            check.seen,
            "6 of 60 interleavings of two purchases: 1 order, stock 0 (0.5 s); oversold: in 54"
        );
        let meaning = check.meaning.unwrap();
        assert!(meaning.contains("in this order: A: BEGIN, SELECT. B: BEGIN, SELECT. Play"), "{meaning}");
        assert!(meaning.ends_with("--replay AABB\"."), "{meaning}");
        assert!(!meaning.contains(".rs") && check.place.is_some());
    }

    #[test]
    fn a_replay_of_whole_statements_says_so_where_one_of_them_would_be_stopped_inside() {
        let judged = |sql: &str| {
            let exploration = Exploration {
                schedules: 1,
                counterexample: Some(oversold_by(sql)),
                ..Exploration::default()
            };
            let watched = Watched { exploration, ..Watched::default() };
            judge(&Ok(watched.sum_up(Duration::ZERO))).unwrap().meaning.unwrap()
        };

        let meaning = judged("INSERT INTO orders SELECT id FROM products WHERE quantity > 0");
        assert!(meaning.ends_with("--replay AB --inside never\"."), "{meaning}");
        let meaning = judged("UPDATE products SET quantity = quantity - 1");
        assert!(meaning.ends_with("--replay AB\"."), "{meaning}");
    }

    #[tokio::test]
    async fn without_the_shops_program_nothing_is_played_and_the_reason_is_known() {
        let played = play(open(None).await, &|_| {}).await;

        assert_eq!(played.unwrap_err(), "the shop's program and PostgreSQL's are not here");
    }
}
