//! `make step`: a person is the scheduler of two purchases. [`Session`] takes one character after the other, and says
//! what the person reads.

mod words;

use std::time::Duration;

use anyhow::{anyhow, ensure};
use flash_sale_dashboard::guess::{GuessedRead, reads_the_stock};
use flash_sale_dashboard::played::{Played, letter};
use flash_sale_explorer::{ExploreOptions, HandPlay, Stage, StageSettings};
use tokio::time::timeout;

use crate::explore::played::shown;
use crate::explore::requests::require_known_strategy;

pub use words::{HELP, introduction};

/// For one play, as for the dashboard's.
const PLAY_LIMIT: Duration = Duration::from_secs(40);

/// Two purchases, and the steps that a person has chosen so far.
pub struct Session {
    settings: StageSettings,
    options: ExploreOptions,
    /// What a replay needs beside the letters, with a space before each argument.
    arguments: String,
    /// The stage, while something runs.
    stage: Option<Stage>,
    steps: Vec<usize>,
    played: Played,
    question: Question,
}

/// What the next character answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    /// What is to be done.
    WhatNext,
    /// Whose read is to be predicted.
    WhoReads,
    /// What this purchase will read.
    WhatIsRead(usize),
}

/// What comes of a character.
pub struct Heard {
    /// What is printed. It may be empty.
    pub text: String,
    /// Whether the person wants to end.
    pub is_end: bool,
}

impl Session {
    /// Two purchases that have not begun yet.
    pub fn new(settings: StageSettings, options: ExploreOptions, arguments: String) -> Self {
        let (steps, played) = (Vec::new(), Played::default());
        Self { settings, options, arguments, stage: None, steps, played, question: Question::WhatNext }
    }

    /// Both purchases begin, and each is held before its first statement.
    ///
    /// # Errors
    /// When the stage doesn't open, or the shop doesn't know the strategy.
    pub async fn begin(&mut self) -> anyhow::Result<String> {
        self.play().await?;
        Ok(words::moment(&self.played))
    }

    /// Ends all processes. The next step starts them again.
    pub fn rest(&mut self) {
        self.stage = None;
    }

    /// Takes a character.
    ///
    /// # Errors
    /// When the steps can't be played.
    pub async fn hear(&mut self, character: char) -> anyhow::Result<Heard> {
        let character = character.to_ascii_lowercase();
        let is_end = character == 'q';
        let text = match (self.question, character) {
            (_, 'q') => String::new(),
            (_, '?') => HELP.to_owned(),
            (Question::WhatIsRead(actor), '0'..='9' | 'w') => self.predict(actor, character).await?,
            (Question::WhatIsRead(actor), _) => words::what_is_read(&self.played, actor),
            (Question::WhoReads, 'a' | 'b') => self.ask(Some(actor_of(character))),
            (Question::WhatNext, 'a' | 'b') => self.go_on(actor_of(character)).await?,
            (Question::WhatNext, 'p') => self.ask(None),
            (_, 'u') => self.step_back().await?,
            _ => words::unknown(character),
        };
        Ok(Heard { text, is_end })
    }

    /// What is said at the end.
    pub fn ending(&self) -> String {
        words::ending(&self.played, self.options.stock, &self.arguments)
    }

    async fn go_on(&mut self, actor: usize) -> anyhow::Result<String> {
        if !self.can_go_on(actor) {
            return Ok(words::not_possible(&self.played, actor));
        }
        self.steps.push(actor);
        self.play().await?;
        let mut text = words::moment(&self.played);
        if self.played.outcome.is_some() {
            text.push_str(&words::is_done());
        }
        Ok(text)
    }

    async fn step_back(&mut self) -> anyhow::Result<String> {
        self.question = Question::WhatNext;
        if self.steps.pop().is_none() {
            return Ok(words::nothing_to_take_back());
        }
        self.play().await?;
        Ok(words::moment(&self.played))
    }

    /// Asks what will be read. `actor`: the purchase that the person has named.
    fn ask(&mut self, actor: Option<usize>) -> String {
        let reads = |actor: &usize| {
            let look = self.played.looks.last();
            look.is_some_and(|look| look.next.iter().any(|(it, sql)| it == actor && reads_the_stock(sql)))
        };
        let readers: Vec<usize> = (0..2).filter(reads).collect();
        match (actor.filter(|actor| readers.contains(actor)), readers.as_slice()) {
            (Some(reader), _) | (None, &[reader]) => {
                self.question = Question::WhatIsRead(reader);
                words::what_is_read(&self.played, reader)
            }
            (None, []) => {
                self.question = Question::WhatNext;
                words::nobody_reads()
            }
            (None, _) => {
                self.question = Question::WhoReads;
                words::who_reads()
            }
        }
    }

    async fn predict(&mut self, actor: usize, guess: char) -> anyhow::Result<String> {
        self.question = Question::WhatNext;
        let moment = self.go_on(actor).await?;
        let guess = if guess == 'w' { "waits".to_owned() } else { guess.to_string() };
        let came = GuessedRead::of(&self.played, &guess).map(|guessed| guessed.in_words());
        Ok(format!("{}{moment}", came.map(|came| format!("\n{came}\n")).unwrap_or_default()))
    }

    fn can_go_on(&self, actor: usize) -> bool {
        let look = self.played.looks.last();
        look.is_some_and(|look| look.next.iter().any(|(it, _)| *it == actor))
    }

    async fn play(&mut self) -> anyhow::Result<()> {
        let played = timeout(PLAY_LIMIT, self.play_all_steps()).await;
        self.played = played.map_err(|_| anyhow!("it was not done in {} s", PLAY_LIMIT.as_secs()))??;
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<Stage> {
        let stage = Stage::open(&self.settings).await?;
        require_known_strategy(&self.options.acts, &stage.strategies().await?)?;
        Ok(stage)
    }

    async fn play_all_steps(&mut self) -> anyhow::Result<Played> {
        let mut stage = match self.stage.take() {
            Some(stage) => stage,
            None => self.open().await?,
        };
        let wanted = HandPlay { steps: self.steps.clone(), fixed: self.steps.len(), is_to_the_end: false };
        let played = stage.play_by_hand(&self.options, &wanted).await?;
        self.stage = Some(stage);
        ensure!(
            !played.steps.is_empty() || played.outcome.is_none(),
            "the purchases sent nothing to PostgreSQL"
        );
        Ok(shown(played))
    }
}

fn actor_of(character: char) -> usize {
    usize::from(character == letter(1).to_ascii_lowercase())
}
