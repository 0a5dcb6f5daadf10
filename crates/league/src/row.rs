//! A line of the league: a variant, its truth, and what each judge says of it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The variant, with its label.
    pub variant: Variant,
    /// What brute force has shown. `None`: it remembers, so it can't be played. An error: why it could not be played.
    pub brute_force: Result<Option<BruteForce>, String>,
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
            Err(error) => (Opinion::of(Err(error)), None),
        };
        lap();
        let explorer = Opinion::of(judges::explore(lane).await);
        lap();
        let (prediction, foretold) = match judges::predict(lane).await {
            Ok(foretold) => (foretold.opinion.clone(), Some(foretold)),
            Err(error) => (Opinion::of(Err(error)), None),
        };
        lap();
        let load = Opinion::of(stress::load(lane).await);
        lap();
        let brute_force = truth::establish(lane, variant).await.map_err(|error| format!("{error:#}"));
        let opinions = vec![verdict, explorer, prediction, load];
        Self { variant: variant.clone(), brute_force, opinions, seconds, mistake, foretold }
    }

    /// What this judge's opinion is worth.
    pub fn score(&self, judge: Judge) -> Score {
        let opinion = self.opinions.get(judge as usize);
        opinion.map_or(Score::NoOpinion, |opinion| opinion.score(&self.variant.outcome))
    }

    /// Whether the mistake got its name. `None`: it has no name to get.
    pub fn is_named(&self) -> Option<bool> {
        self.variant.mistake.as_ref().map(|expected| self.mistake.as_ref() == Some(expected))
    }

    /// What brute force says against the label. Then nobody knows the truth.
    pub fn disagreement(&self) -> Option<String> {
        match &self.brute_force {
            Ok(None) => None,
            Ok(Some(shown)) => truth::compare(&self.variant, shown).err().map(|error| error.to_string()),
            Err(reason) => Some(format!("{} could not be played: {reason}", self.variant.name)),
        }
    }

    /// It in one line, for a person who waits.
    pub fn in_a_line(&self) -> String {
        let words = |judge: Judge| format!("{:<16}", self.score(judge).in_words().trim_matches('*'));
        let scores: String = Judge::ALL.into_iter().map(words).collect();
        let (expected, given) = (self.variant.mistake.as_deref(), self.mistake.as_deref());
        let name = match (expected, given) {
            (expected, given) if expected == given => given.unwrap_or_default().to_owned(),
            (expected, given) => format!("{} (expected {})", given.unwrap_or("-"), expected.unwrap_or("-")),
        };
        let disagreement = self.disagreement().map(|it| format!("\n  {it}")).unwrap_or_default();
        format!(
            "{:<38}{:<22}{scores}{name}{disagreement}",
            self.variant.name,
            self.variant.outcome.in_words()
        )
    }
}
