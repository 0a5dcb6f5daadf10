//! The true outcome of a variant.

use std::collections::BTreeSet;

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// Something that a wrong fix does to buyers. The worst one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// It sells more copies than there are.
    Oversells,
    /// A buyer is told something that is not true.
    Untrue,
    /// Stock and orders don't agree in the end.
    Unconserved,
    /// A buyer is told "Out of stock" while a copy is left.
    LosesSales,
    /// A buyer meets a failure.
    Fails,
    /// Buyers of other products wait, or people who only look.
    OthersWait,
    /// Two buyers are served well, and a third one meets a failure.
    AThirdFails,
    /// A replica remembers earlier purchases. So what a schedule shows depends on the schedules before it.
    Remembers,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Oversells,
        Self::Untrue,
        Self::Unconserved,
        Self::LosesSales,
        Self::Fails,
        Self::OthersWait,
        Self::AThirdFails,
        Self::Remembers,
    ];

    /// The word for it in the files of the variants.
    pub fn word(self) -> &'static str {
        match self {
            Self::Oversells => "oversells",
            Self::Untrue => "untrue",
            Self::Unconserved => "unconserved",
            Self::LosesSales => "loses-sales",
            Self::Fails => "fails",
            Self::OthersWait => "others-wait",
            Self::AThirdFails => "a-third-fails",
            Self::Remembers => "remembers",
        }
    }

    /// Whether two purchases of one product can show it, in some order of their statements. Otherwise somebody has read
    /// the code.
    pub fn can_be_played(self) -> bool {
        !matches!(self, Self::OthersWait | Self::AThirdFails | Self::Remembers)
    }
}

/// What a variant does to buyers: nothing bad, or these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrueOutcome(pub BTreeSet<Harm>);

impl TrueOutcome {
    /// Reads a label: `right`, or words that a + joins.
    ///
    /// # Errors
    /// When a word is unknown.
    pub fn read(label: &str) -> anyhow::Result<Self> {
        let mut harms = BTreeSet::new();
        for word in label.split('+').filter(|word| *word != "right") {
            match Harm::ALL.into_iter().find(|harm| harm.word() == word) {
                Some(harm) => harms.insert(harm),
                None => bail!("\"{word}\" is no outcome"),
            };
        }
        Ok(Self(harms))
    }

    /// Whether no buyer comes to harm.
    pub fn is_right(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it sells too much.
    pub fn oversells(&self) -> bool {
        self.0.contains(&Harm::Oversells)
    }

    /// The part that two purchases can show.
    pub fn playable(&self) -> BTreeSet<Harm> {
        self.0.iter().copied().filter(|harm| harm.can_be_played()).collect()
    }

    /// Whether what is played depends on what was played before.
    pub fn remembers(&self) -> bool {
        self.0.contains(&Harm::Remembers)
    }

    /// Its label.
    pub fn in_words(&self) -> String {
        in_words(&self.0)
    }
}

/// The label of these.
pub fn in_words(harms: &BTreeSet<Harm>) -> String {
    if harms.is_empty() {
        return "right".to_owned();
    }
    harms.iter().map(|harm| harm.word()).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_it_is_written() {
        let outcome = TrueOutcome::read("fails+oversells").unwrap();

        assert_eq!(outcome.in_words(), "oversells + fails");
        assert!(outcome.oversells() && !outcome.is_right());
        assert!(TrueOutcome::read("right").unwrap().is_right());
        let broad = TrueOutcome::read("right+others-wait").unwrap();
        assert!(!broad.is_right() && broad.playable().is_empty());
        assert!(TrueOutcome::read("wrong").is_err());
    }
}
