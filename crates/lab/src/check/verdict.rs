//! What a check has found, and the line that sums it up.

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name: "one click".
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was seen.
    pub seen: String,
    /// What that means and where to look; `None` when it passed.
    pub meaning: Option<String>,
}

impl Check {
    /// A check and, should it have failed, what that means.
    pub fn new(name: &str, passed: bool, seen: String, meaning: &str) -> Self {
        let meaning = (!passed).then(|| meaning.to_owned());
        Self { name: name.to_owned(), passed, seen, meaning }
    }
}

/// All in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// More was sold than there was.
    Oversold,
    /// Nothing was oversold, and something else is not as it should be.
    NotFixed,
    /// All is as it should be.
    Fixed,
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
    /// How long it took.
    pub seconds: f64,
}

/// What a check has found. As JSON, one object:
///
/// ```json
/// {
///   "verdict": "not_fixed",
///   "closing": "NOT FIXED: 1 of 13 checks failed: retry",
///   "checks": [{"name": "retry", "passed": false, "seen": "0 of 50 clicks …", "meaning": "Buy Now …"}],
///   "figures": {"rounds": 50, "rounds_oversold": 0, "purchases": 314, "sold": 75, "copies_oversold": 0,
///               "seconds": 8.4}
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// "oversold", "not_fixed" or "fixed".
    pub verdict: Verdict,
    /// The verdict in a line: "FIXED: 372 purchases, 0 oversold".
    pub closing: String,
    /// Each check, in the order they were made.
    pub checks: Vec<Check>,
    /// What was counted.
    pub figures: Figures,
}

impl Report {
    /// Sums up.
    pub fn new(checks: Vec<Check>, figures: Figures) -> Self {
        let failed: Vec<&str> =
            checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        let (verdict, closing) = if figures.rounds_oversold > 0 {
            let Figures { rounds, rounds_oversold, .. } = figures;
            (Verdict::Oversold, format!("OVERSOLD in {rounds_oversold} of {rounds} rounds"))
        } else if figures.copies_oversold > 0 {
            let copies = figures.copies_oversold;
            let closing =
                format!("OVERSOLD by {copies} to the crowds, though not in {} rounds", figures.rounds);
            (Verdict::Oversold, closing)
        } else if failed.is_empty() {
            let purchases = with_thousands(figures.purchases);
            (Verdict::Fixed, format!("FIXED: {purchases} purchases, 0 oversold"))
        } else {
            let (count, all, names) = (failed.len(), checks.len(), failed.join(", "));
            (Verdict::NotFixed, format!("NOT FIXED: {count} of {all} checks failed: {names}"))
        };
        Self { verdict, closing, checks, figures }
    }
}

/// 1250 → "1,250"
fn with_thousands(number: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(passed: [bool; 3]) -> Vec<Check> {
        let names = ["one click", "retry", "replicas"];
        names
            .iter()
            .zip(passed)
            .map(|(name, passed)| Check::new(name, passed, String::new(), "why"))
            .collect()
    }

    const FIGURES: Figures = Figures {
        rounds: 50,
        rounds_oversold: 0,
        purchases: 1250,
        sold: 80,
        copies_oversold: 0,
        seconds: 17.5,
    };

    #[test]
    fn fixed_needs_every_check() {
        let report = Report::new(checks([true; 3]), FIGURES);
        assert_eq!(report.verdict, Verdict::Fixed);
        assert_eq!(report.closing, "FIXED: 1,250 purchases, 0 oversold");

        for failing in 0..3 {
            let mut passed = [true; 3];
            passed[failing] = false;
            assert_eq!(Report::new(checks(passed), FIGURES).verdict, Verdict::NotFixed);
        }
    }

    #[test]
    fn what_failed_is_named() {
        let report = Report::new(checks([true, false, false]), FIGURES);

        assert_eq!(report.closing, "NOT FIXED: 2 of 3 checks failed: retry, replicas");
        assert_eq!(report.checks[0].meaning, None);
        assert_eq!(report.checks[1].meaning.as_deref(), Some("why"));
    }

    #[test]
    fn oversold_outweighs_all_else() {
        let one_click = Figures { rounds_oversold: 49, copies_oversold: 29, ..FIGURES };
        let report = Report::new(checks([false, false, true]), one_click);
        assert_eq!((report.verdict, &*report.closing), (Verdict::Oversold, "OVERSOLD in 49 of 50 rounds"));

        let crowd = Figures { copies_oversold: 29, ..FIGURES };
        let report = Report::new(checks([true, false, true]), crowd);
        assert_eq!(report.verdict, Verdict::Oversold);
        assert_eq!(report.closing, "OVERSOLD by 29 to the crowds, though not in 50 rounds");
    }

    #[test]
    fn as_json_it_is_an_object_for_graders() {
        let json = serde_json::to_value(Report::new(checks([true, true, false]), FIGURES)).unwrap();

        assert_eq!(json["verdict"], "not_fixed");
        assert_eq!(json["checks"][2]["name"], "replicas");
        assert_eq!(json["checks"][2]["passed"], false);
        assert_eq!(json["figures"]["purchases"], 1250);
    }
}
