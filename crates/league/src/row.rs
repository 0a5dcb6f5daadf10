//! A line of the league: a variant, its truth, and what each judge says of it.

use std::time::Instant;

use serde::Serialize;

use crate::catalogue::Variant;
use crate::judges::{self, Foretold, Verdict};
use crate::lane::Lane;
use crate::opinion::{Opinion, Score};
use crate::stress;
use crate::truth::{self, BruteForce};

/// A judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// `make check`.
    Verdict,
    /// `make explore`, with reduction.
    Explorer,
    /// `make predict`.
    Prediction,
    /// A load test.
    Stress,
}

impl Judge {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 4] = [Self::Verdict, Self::Explorer, Self::Prediction, Self::Stress];

    /// The heading of its column.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Verdict => "`make check`",
            Self::Explorer => "`make explore`",
            Self::Prediction => "`make predict`",
            Self::Stress => "load test",
        }
    }
}

/// A variant that was judged.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The variant, with its label.
    pub variant: Variant,
    /// What brute force has shown. `None`: it remembers, so it can't be played.
    pub brute_force: Option<BruteForce>,
    /// What brute force says against the label; then nobody knows the truth.
    pub disagreement: Option<String>,
    /// The opinions of the judges, in the order of [`Judge::ALL`].
    pub opinions: Vec<Opinion>,
    /// How long each of them took, in seconds. The prediction's own time is in `foretold`.
    pub seconds: Vec<f64>,
    /// The name that `make check` gives to its mistake.
    pub mistake: Option<String>,
    /// What was predicted.
    pub foretold: Option<Foretold>,
}

impl Row {
    /// Has the running variant judged by all, and by brute force.
    pub async fn judge(lane: &Lane, variant: &Variant) -> Self {
        let mut seconds = Vec::new();
        let mut clock = Instant::now();
        let mut lap = || {
            seconds.push(clock.elapsed().as_secs_f64());
            clock = Instant::now();
        };
        let (verdict, mistake) = match judges::check(lane).await {
            Ok(Verdict { opinion, mistake }) => (opinion, mistake),
            Err(error) => (Opinion::Silent(format!("{error:#}")), None),
        };
        lap();
        let explorer = Opinion::of(judges::explore(lane).await);
        lap();
        let (prediction, foretold) = match judges::predict(lane).await {
            Ok(foretold) => (foretold.opinion.clone(), Some(foretold)),
            Err(error) => (Opinion::Silent(format!("{error:#}")), None),
        };
        lap();
        let load = Opinion::of(stress::load(lane).await);
        lap();
        let (brute_force, disagreement) = match truth::establish(lane, variant).await {
            Ok(shown) => (shown, None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let opinions = vec![verdict, explorer, prediction, load];
        Self { variant: variant.clone(), brute_force, disagreement, opinions, seconds, mistake, foretold }
    }

    /// What this judge's opinion is worth.
    pub fn score(&self, judge: Judge) -> Score {
        let opinion = Judge::ALL.iter().zip(&self.opinions).find(|(other, _)| **other == judge);
        opinion.map_or(Score::NoOpinion, |(_, opinion)| opinion.score(&self.variant.outcome))
    }

    /// Whether the mistake got its name. `None`: it has no name to get.
    pub fn is_named(&self) -> Option<bool> {
        self.variant.mistake.as_ref().map(|expected| self.mistake.as_ref() == Some(expected))
    }

    /// It in one line, for a person who waits.
    pub fn in_a_line(&self) -> String {
        let words = |judge: Judge| {
            format!("{:<16}", self.score(judge).in_words().trim_matches('*'))
        };
        let scores: String = Judge::ALL.into_iter().map(words).collect();
        let (expected, given) = (self.variant.mistake.as_deref(), self.mistake.as_deref());
        let name = match (expected, given) {
            (expected, given) if expected == given => given.unwrap_or_default().to_owned(),
            (expected, given) => format!("{} (expected {})", given.unwrap_or("-"), expected.unwrap_or("-")),
        };
        let disagreement = self.disagreement.as_ref().map(|it| format!("\n  {it}")).unwrap_or_default();
        format!("{:<38}{:<22}{scores}{name}{disagreement}", self.variant.name, self.variant.outcome.in_words())
    }
}
