//! What a judge says of a variant, and whether that is true.

use serde::{Deserialize, Serialize};

use crate::outcome::TrueOutcome;

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// It is wrong, and this is what was seen.
    Wrong(String),
    /// Nothing is wrong with it.
    Right,
    /// Nothing: the judge has failed, and this is what it says.
    Silent(String),
}

/// An opinion held against the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// A wrong variant, and the judge says so.
    Caught,
    /// A wrong variant, and the judge says nothing against it.
    Missed,
    /// A right variant, and the judge says nothing against it.
    Cleared,
    /// A right variant, and the judge says that it is wrong.
    FalselyAccused,
    /// The judge said nothing.
    NoOpinion,
}

impl Opinion {
    /// Holds it against the truth.
    pub fn score(&self, truth: &TrueOutcome) -> Score {
        match (self, truth.is_right()) {
            (Self::Wrong(_), false) => Score::Caught,
            (Self::Wrong(_), true) => Score::FalselyAccused,
            (Self::Right, false) => Score::Missed,
            (Self::Right, true) => Score::Cleared,
            (Self::Silent(_), _) => Score::NoOpinion,
        }
    }

    /// The opinion of a judge that may have failed.
    pub fn of(judged: anyhow::Result<Self>) -> Self {
        judged.unwrap_or_else(|error| Self::Silent(format!("{error:#}")))
    }
}

impl Score {
    /// In a table.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Missed => "**missed**",
            Self::Cleared => "cleared",
            Self::FalselyAccused => "**falsely accused**",
            Self::NoOpinion => "no opinion",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_is_held_against_the_truth() {
        let right = TrueOutcome::read("right").unwrap();
        let wrong = TrueOutcome::read("right+others-wait").unwrap();
        let accuses = Opinion::Wrong("oversold".to_owned());

        assert_eq!([accuses.score(&wrong), accuses.score(&right)], [Score::Caught, Score::FalselyAccused]);
        assert_eq!(
            [Opinion::Right.score(&wrong), Opinion::Right.score(&right)],
            [Score::Missed, Score::Cleared]
        );
        let silent = Opinion::of(Err(anyhow::anyhow!("no PostgreSQL")));
        assert_eq!(silent.score(&wrong), Score::NoOpinion);
    }
}
