//! A check, a race, an exploration or a click in slow motion: what it was asked for, and what is known of it so far. Its
//! memory is bounded.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

use crate::engine_messages::{
    EngineMessage, ExploredSchedules, JudgedShop, Progress, RacedStrategies, SeenCheck,
};
use crate::rooms::{Heard, Order};

/// The last lines of the output that are kept, and how many characters of each.
const LINES: usize = 40;
const LINE_LENGTH: usize = 300;
/// A check has 14 checks. A program that tells more is not ours.
const MOST_CHECKS: usize = 100;

/// What can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// `make check`
    Check,
    /// `make race`
    Race,
    /// Two purchases, in every order of their statements.
    Exploration,
    /// One click, while payments take seconds.
    SlowMotion,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Counts all runs, from 1.
    pub number: u64,
    /// What was asked for.
    pub order: Order,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended. `None`: it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether a person has stopped it.
    pub is_stopped: bool,
    /// How far it is.
    pub progress: Progress,
    /// The checks that are finished, in the order in which they came.
    pub checks: Vec<SeenCheck>,
    /// For each failed check with a click of its own: the click's number.
    pub clicks: BTreeMap<String, u64>,
    /// The verdict of a check.
    pub judged: Option<JudgedShop>,
    /// When the click of a slow motion was sent. `None`: it was not sent yet.
    pub clicked_at: Option<DateTime<Utc>>,
    /// The figures of a race.
    pub raced: Option<RacedStrategies>,
    /// The schedules of an exploration.
    pub explored: Option<ExploredSchedules>,
    /// The last lines of its output.
    pub lines: VecDeque<String>,
}

impl Run {
    /// A run that has just begun.
    pub fn begin(number: u64, order: Order) -> Self {
        Self {
            number,
            order,
            began_at: Utc::now(),
            ended_at: None,
            is_stopped: false,
            progress: Progress::default(),
            checks: Vec::new(),
            clicks: BTreeMap::new(),
            judged: None,
            clicked_at: None,
            raced: None,
            explored: None,
            lines: VecDeque::new(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> RunKind {
        match self.order {
            Order::Check => RunKind::Check,
            Order::Race(_) => RunKind::Race,
            Order::Explore(_) => RunKind::Exploration,
            Order::SlowMotion => RunKind::SlowMotion,
        }
    }

    /// Whether it has told an error.
    pub fn has_failed(&self) -> bool {
        self.lines.iter().any(|line| line.starts_with("error: "))
    }

    /// Why there is no result: the last error that it told.
    pub fn failure(&self) -> String {
        let error = self.lines.iter().rev().find_map(|line| line.strip_prefix("error: "));
        error.or(self.lines.back().map(String::as_str)).unwrap_or("It ended without a result.").to_owned()
    }

    /// Notes what it tells. If that is a failed check, `click` is the click that shows it.
    pub fn hear(&mut self, heard: Heard, click: Option<u64>) {
        match heard {
            Heard::Line(line) => self.note_line(&line),
            Heard::Message(message) => match *message {
                EngineMessage::Progress(progress) => self.progress = progress,
                EngineMessage::Check(finished) if self.checks.len() < MOST_CHECKS => {
                    self.clicks.extend(click.map(|click| (finished.check.name.clone(), click)));
                    self.checks.push(finished.check);
                }
                EngineMessage::Check(_) => {}
                EngineMessage::Judged(judged) => {
                    self.checks = judged.checks.iter().take(MOST_CHECKS).cloned().collect();
                    self.judged = Some(judged);
                }
                EngineMessage::Raced(raced) => self.raced = Some(raced),
                EngineMessage::Explored(explored) => self.explored = Some(explored),
                EngineMessage::Clicked(click) => self.clicked_at = Some(click.at),
            },
        }
    }

    fn note_line(&mut self, line: &str) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.chars().filter(|it| !it.is_control()).take(LINE_LENGTH).collect());
    }
}

impl RunKind {
    /// Its article and its name, as they stand at the begin of a sentence.
    pub fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Check => ("A", "check"),
            Self::Race => ("A", "race"),
            Self::Exploration => ("An", "exploration"),
            Self::SlowMotion => ("A", "click in slow motion"),
        }
    }

    /// The page that shows it.
    pub fn page(self) -> &'static str {
        match self {
            Self::Check => "/verdict",
            Self::Race => "/race",
            Self::Exploration => "/explore",
            Self::SlowMotion => "/slow-motion",
        }
    }
}
