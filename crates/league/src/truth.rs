//! The truth by brute force: every order of two purchases' statements, with nothing left out, for one copy and for two.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::Variant;
use crate::lane::Lane;
use crate::outcome::{Harm, in_words};

/// Longer than any variant needs.
const TIME_LIMIT: &str = "60";
/// On a busy machine a purchase does not always repeat itself, and then schedules are left out.
const TRIES: usize = 2;

/// What brute force has shown of a variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BruteForce {
    /// How many schedules were played, of one copy and of two.
    pub schedules: [usize; 2],
    /// Whether they were all of them.
    pub complete: bool,
    /// What harm came of them.
    pub harms: BTreeSet<Harm>,
}

/// Plays the running variant. `None`: it remembers, so one schedule depends on those before it, and none is played.
///
/// # Errors
/// When it can't be played.
pub async fn establish(lane: &Lane, variant: &Variant) -> anyhow::Result<Option<BruteForce>> {
    if variant.outcome.remembers() {
        return Ok(None);
    }
    let (mut shown, mut complete) = (BruteForce::default(), true);
    for (index, stock) in ["1", "2"].into_iter().enumerate() {
        let options = ["explore", "--json", "--no-reduction", "--stock", stock, "--time-limit", TIME_LIMIT];
        for _ in 0..TRIES {
            let report = lane.judge(&options).await?;
            shown.add(index, &report)?;
            shown.complete = report["complete"] == true;
            if shown.complete {
                break;
            }
        }
        complete &= shown.complete;
    }
    shown.complete = complete;
    Ok(Some(shown))
}

/// Holds the label against the schedules.
///
/// # Errors
/// When they don't say the same: the error names the variant.
pub fn compare(variant: &Variant, shown: &BruteForce) -> anyhow::Result<()> {
    let (label, name) = (variant.outcome.playable(), &variant.name);
    ensure!(
        label == shown.harms,
        "the label of {name} says {}, and brute force says {} ({} + {} schedules). One of them is wrong",
        in_words(&label),
        in_words(&shown.harms),
        shown.schedules[0],
        shown.schedules[1],
    );
    Ok(())
}

impl BruteForce {
    fn add(&mut self, index: usize, report: &Value) -> anyhow::Result<()> {
        let count =
            |field: &str| report[field].as_u64().with_context(|| format!("the exploration has no {field}"));
        self.schedules[index] = usize::try_from(count("schedules")?)?;
        for (field, harm) in [
            ("oversold", Harm::Oversells),
            ("dishonest", Harm::Untrue),
            ("unconserved", Harm::Unconserved),
            ("lost_sales", Harm::LosesSales),
            ("failed", Harm::Fails),
        ] {
            if count(field)? > 0 {
                self.harms.insert(harm);
            }
        }
        let answers = report["answers"].as_object().context("the exploration has no answers")?;
        // The explorer counts 404 as an untrue answer, and 5xx as a failure. A missing answer is one, too.
        if answers.keys().any(|answers| answers.contains("no answer")) {
            self.harms.insert(Harm::Fails);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue::variants;

    fn report(field: &str, count: usize, answers: &str) -> Value {
        let mut report = json!({
            "schedules": 36, "complete": true, "oversold": 0, "dishonest": 0, "unconserved": 0, "lost_sales": 0,
            "failed": 0, "answers": { answers: 36 },
        });
        report[field] = json!(count);
        report
    }

    #[test]
    fn what_brute_force_shows_must_be_what_the_label_says() {
        let variants = variants().unwrap();
        let of = |name: &str| variants.iter().find(|variant| variant.name == name).unwrap();
        let shown = |first: Value, second: Value| {
            let mut shown = BruteForce::default();
            shown.add(0, &first).unwrap();
            shown.add(1, &second).unwrap();
            shown
        };
        let nothing = || report("failed", 0, "200 400");
        let right = shown(nothing(), nothing());
        let oversold = shown(report("oversold", 3, "200 200"), nothing());
        let not_found = shown(nothing(), report("dishonest", 9, "200 404"));
        let silent = shown(report("failed", 0, "200 no answer"), nothing());

        assert!(compare(of("guide-fix"), &right).is_ok());
        assert!(compare(of("shipped"), &oversold).is_ok());
        assert!(compare(of("skip-locked"), &not_found).is_ok());
        assert!(compare(of("for-share"), &silent).is_ok());
        for (name, shown) in [("guide-fix", &oversold), ("shipped", &right), ("guide-fix", &silent)] {
            let error = compare(of(name), shown).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("brute force says"), "{error}");
        }
    }

    #[test]
    fn one_copy_and_two_are_put_together() {
        let mut shown = BruteForce::default();
        shown.add(0, &report("oversold", 1, "200 200")).unwrap();
        shown.add(1, &report("lost_sales", 1, "200 400")).unwrap();

        assert_eq!(shown.harms, BTreeSet::from([Harm::Oversells, Harm::LosesSales]));
        assert!(shown.add(1, &json!({})).is_err());
    }
}
