//! What a check has found, and the line that sums it up.

#[cfg(test)]
mod tests;

use flash_sale_diagnosis::{Diagnosis, Evidence, Sign, WhyItHolds, diagnose, why_it_holds};
use serde::Serialize;

use super::played::Interleavings;
use crate::wording::counted;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name: "one click".
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was seen.
    pub seen: String,
    /// What that means; `None` when it passed.
    pub meaning: Option<String>,
    /// Where in the code to look: it gives away a part of the exercise, so [`CheckReport::hide_places`] leaves it out.
    pub place: Option<String>,
    /// Whether a buyer met a failure of the shop here. The log has the reason.
    #[serde(skip)]
    pub met_failure: bool,
    /// Whether it has failed only because nothing could be seen. Then it is no sign of a mistake.
    #[serde(skip)]
    pub shows_nothing: bool,
}

impl Check {
    /// A check, with the meaning to tell when it has failed.
    pub fn new(name: &str, passed: bool, seen: String, meaning: &str) -> Self {
        let meaning = (!passed).then(|| meaning.to_owned());
        Self {
            name: name.to_owned(),
            passed,
            seen,
            meaning,
            place: None,
            met_failure: false,
            shows_nothing: false,
        }
    }

    /// The same with the place in the code where to look, if it has failed.
    pub fn at(mut self, place: &str) -> Self {
        self.place = (!self.passed && !place.is_empty()).then(|| place.to_owned());
        self
    }

    /// The same, with whether a buyer met a failure of the shop.
    pub fn after_failure(mut self, met_failure: bool) -> Self {
        self.met_failure = met_failure;
        self
    }

    /// Whether it has failed because of something that was seen.
    pub fn has_shown_failure(&self) -> bool {
        !self.passed && !self.shows_nothing
    }

    /// A check that was not made, and why. It counts as failed, because nobody knows whether all is well.
    pub fn left_out(name: &str, reason: &str) -> Self {
        let meaning = "Look first at the other failed checks. Then check again.";
        Self { shows_nothing: true, ..Self::new(name, false, format!("left out: {reason}"), meaning) }
    }
}

/// The result in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// More copies were sold than there were.
    Oversold,
    /// Nothing was oversold, but something else is not as it should be.
    NotFixed,
    /// All is as it should be.
    Fixed,
    /// Nothing was judged: no shop runs, or its database can't be asked.
    NotJudged,
    /// Nothing was judged: the files don't compile.
    NotBuilt,
    /// Nothing was judged: the shop that runs was not built from the files as they are.
    Outdated,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Rounds of one click that were played.
    pub rounds: usize,
    /// Rounds in which the one copy was sold more than once.
    pub rounds_oversold: usize,
    /// Requests to buy, those of the clicks included.
    pub purchases: usize,
    /// How many of them were told yes.
    pub sold: usize,
    /// Copies that crowds bought beyond the stock.
    pub copies_oversold: usize,
    /// Orders of the book that were there before, and that the check's first reset has deleted.
    pub orders_deleted: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What a check has found. As JSON, one object:
///
/// ```json
/// {
///   "verdict": "not_fixed",
///   "closing": "NOT FIXED: 1 of 14 checks failed: retry",
///   "exploration": {"schedules": 36, "complete": true, "sold_once": 36, "oversold": 0, …, "waited": 24,
///                   "seconds": 0.4, "counterexample": null},
///   "checks": [{"name": "retry", "passed": false, "seen": "0 of 10 clicks …", "meaning": "Buy Now …",
///               "place": null}],
///   "mistake": {"name": "retry_missing", "sentence": "A slow click …", "statements": []},
///   "why": null,
///   "costs": [],
///   "figures": {"rounds": 10, "rounds_oversold": 0, "purchases": 274, "sold": 35, "copies_oversold": 0,
///               "orders_deleted": 2, "seconds": 4.4}
/// }
/// ```
///
/// `exploration` is null when the interleavings could not be played. Then `"exploration_left_out"` has the reason.
///
/// `mistake` names what is wrong, with the statements that show it: `{"purchase": "B", "label": "SELECT", "result": "saw
/// quantity 1"}`. It is null for a fix, and where the mistake can't be told; `"mistake_left_out"` then has the reason.
/// `why` says why a fix holds: `{"sentence": …, "holds": …}`. It is null for any other verdict, and where the two purchases
/// were not played.
///
/// `place` says where in the code to look, if that was asked for. `costs` says what a fix costs, and is empty for any
/// other verdict.
///
/// When nothing was judged, it is the same object with `"verdict"`: `"not_judged"`, `"not_built"` or `"outdated"`, no
/// checks, and `"error"`: the reason.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// "oversold", "not_fixed" or "fixed"; "not_judged", "not_built" or "outdated" when nothing was judged.
    pub verdict: CheckVerdict,
    /// The verdict in a line: "FIXED: 372 purchases, 0 oversold".
    pub closing: String,
    /// What came of the interleavings of two purchases; `None` when they could not be played.
    pub exploration: Option<Interleavings>,
    /// Why they could not be played; only then is it part of the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploration_left_out: Option<String>,
    /// Each check, in the order in which they are printed.
    pub checks: Vec<Check>,
    /// The mistake. `None`: there is none, or it can't be told.
    pub mistake: Option<Diagnosis>,
    /// Why the mistake can't be told; only then is it part of the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake_left_out: Option<String>,
    /// Why the fix holds; `None` unless the verdict is "fixed", and the two purchases were played.
    pub why: Option<WhyItHolds>,
    /// What the fix costs others, as far as it was measured; empty unless the verdict is "fixed".
    pub costs: Vec<String>,
    /// What was counted.
    pub figures: Figures,
    /// Why nothing was judged; only then is it part of the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl CheckReport {
    /// Sums up the checks. `costs` are kept only for a fix.
    pub fn new(
        interleavings: Result<Interleavings, String>,
        checks: Vec<Check>,
        mut costs: Vec<String>,
        figures: Figures,
    ) -> Self {
        let (exploration, exploration_left_out) = match interleavings {
            Ok(played) => (Some(played), None),
            Err(reason) => (None, Some(reason)),
        };
        let oversold = exploration.as_ref().filter(|played| played.oversold > 0);
        let failed: Vec<&str> =
            checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        let (verdict, closing) = if figures.rounds_oversold > 0 {
            let Figures { rounds, rounds_oversold, .. } = figures;
            (CheckVerdict::Oversold, format!("OVERSOLD in {rounds_oversold} of {}", counted(rounds, "round")))
        } else if figures.copies_oversold > 0 {
            let copies = figures.copies_oversold;
            let closing = format!(
                "OVERSOLD by {copies} to the crowds, though not in {}",
                counted(figures.rounds, "round")
            );
            (CheckVerdict::Oversold, closing)
        } else if let Some(played) = oversold {
            let closing = format!(
                "OVERSOLD in {} of {} of two purchases, though not in {}",
                played.oversold,
                counted(played.schedules, "interleaving"),
                counted(figures.rounds, "round")
            );
            (CheckVerdict::Oversold, closing)
        } else if failed.is_empty() {
            let purchases = with_thousands(figures.purchases);
            (CheckVerdict::Fixed, format!("FIXED: {purchases} purchases, 0 oversold"))
        } else {
            let (count, all, names) = (failed.len(), checks.len(), failed.join(", "));
            (CheckVerdict::NotFixed, format!("NOT FIXED: {count} of {all} checks failed: {names}"))
        };
        if verdict != CheckVerdict::Fixed {
            costs.clear();
        }
        Self {
            verdict,
            closing,
            exploration,
            exploration_left_out,
            checks,
            mistake: None,
            mistake_left_out: None,
            why: None,
            costs,
            figures,
            error: None,
        }
    }

    /// The same with the name of the mistake, or with the reason why a fix holds.
    pub fn named(mut self, mut evidence: Evidence) -> Self {
        match self.verdict {
            CheckVerdict::Fixed => self.why = why_it_holds(&evidence.purchases),
            CheckVerdict::Oversold | CheckVerdict::NotFixed => {
                if self.verdict == CheckVerdict::Oversold {
                    evidence.signs.insert(Sign::Oversold);
                }
                self.mistake = diagnose(&evidence);
                let unseen = "the statements of two purchases that meet were not seen";
                let reason = match &self.exploration_left_out {
                    Some(reason) => format!("{unseen}: {reason}"),
                    None => "what was seen has no name here".to_owned(),
                };
                self.mistake_left_out = self.mistake.is_none().then_some(reason);
            }
            _ => {}
        }
        self
    }

    /// Leaves out the places where to look, for a person who has not asked for them. Returns whether there was one.
    pub fn hide_places(&mut self) -> bool {
        let hidden = self.checks.iter_mut().filter_map(|check| check.place.take()).count();
        hidden > 0
    }

    /// The report on a shop that was not judged, with the reason.
    pub fn without_verdict(verdict: CheckVerdict, reason: String) -> Self {
        let word = match verdict {
            CheckVerdict::NotBuilt => "NOT BUILT",
            CheckVerdict::Outdated => "OUTDATED",
            _ => "NOT JUDGED",
        };
        Self {
            verdict,
            closing: format!("{word}: {reason}"),
            exploration: None,
            exploration_left_out: None,
            checks: Vec::new(),
            mistake: None,
            mistake_left_out: None,
            why: None,
            costs: Vec::new(),
            figures: Figures::default(),
            error: Some(reason),
        }
    }
}

/// 1250 → "1,250"
pub(super) fn with_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
