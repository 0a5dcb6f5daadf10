//! The three judges that a learner has, asked as a learner asks them.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lane::Lane;
use crate::opinion::Opinion;

/// What `make check` says.
pub struct Verdict {
    /// Whether the variant is wrong.
    pub opinion: Opinion,
    /// The name of its mistake.
    pub mistake: Option<String>,
}

/// What `make predict` says, and how long it took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Foretold {
    /// Whether the variant is wrong.
    pub opinion: Opinion,
    /// Pairs of statements that were suspected.
    pub suspected: u64,
    /// From the purchase to the last confirmation, without the start of the stage.
    pub seconds: f64,
}

/// Asks `make check`.
///
/// # Errors
/// When nothing was judged.
pub async fn check(lane: &Lane) -> anyhow::Result<Verdict> {
    verdict_of(&lane.judge(&["check", "--json"]).await?)
}

/// Asks `make explore`, which leaves out schedules from which nothing new can come. Brute force leaves out none.
///
/// # Errors
/// When nothing was explored.
pub async fn explore(lane: &Lane) -> anyhow::Result<Opinion> {
    explored(&lane.judge(&["explore", "--json", "--reduction"]).await?)
}

/// Asks `make predict`.
///
/// # Errors
/// When nothing was predicted.
pub async fn predict(lane: &Lane) -> anyhow::Result<Foretold> {
    foretold(&lane.judge(&["predict", "--json"]).await?)
}

fn verdict_of(report: &Value) -> anyhow::Result<Verdict> {
    let verdict = report["verdict"].as_str().context("the check has no verdict")?;
    let opinion = match verdict {
        "fixed" => Opinion::Right,
        "oversold" | "not_fixed" => Opinion::Wrong(text(&report["closing"])),
        _ => Opinion::Silent(text(&report["closing"])),
    };
    let mistake = report["mistake"]["name"].as_str().map(str::to_owned);
    Ok(Verdict { opinion, mistake })
}

fn explored(report: &Value) -> anyhow::Result<Opinion> {
    let seen = [
        ("oversold", "oversold"),
        ("dishonest", "untrue answers"),
        ("unconserved", "stock and orders disagree"),
        ("lost_sales", "lost sales"),
        ("failed", "failures"),
    ];
    let mut found = Vec::new();
    for (field, what) in seen {
        if report[field].as_u64().with_context(|| format!("the exploration has no {field}"))? > 0 {
            found.push(what);
        }
    }
    Ok(if found.is_empty() { Opinion::Right } else { Opinion::Wrong(found.join(", ")) })
}

fn foretold(report: &Value) -> anyhow::Result<Foretold> {
    let is_guilty = report["guilty"].as_bool().context("the prediction has no verdict")?;
    let confirmed = report["confirmed"].as_array().context("the prediction has no list")?;
    let mut anomalies: Vec<String> = confirmed.iter().map(|confirmed| text(&confirmed["anomaly"])).collect();
    if !report["in_turn"].is_null() {
        anomalies.push("one after the other".to_owned());
    }
    let opinion = match (is_guilty, report["answer"].as_u64()) {
        (true, _) => Opinion::Wrong(anomalies.join(", ")),
        (false, Some(200)) => Opinion::Right,
        (false, _) => Opinion::Silent("a buyer who is alone gets no copy".to_owned()),
    };
    let suspected = report["predicted"].as_u64().unwrap_or_default();
    let seconds = report["seconds"].as_f64().unwrap_or_default();
    Ok(Foretold { opinion, suspected, seconds })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verdict_is_right_only_if_it_is_fixed() {
        let of = |verdict: &str| {
            verdict_of(&json!({ "verdict": verdict, "closing": "so", "mistake": { "name": "no_lock" } }))
                .unwrap()
        };
        assert_eq!(of("fixed").opinion, Opinion::Right);
        assert_eq!(of("not_fixed").opinion, Opinion::Wrong("so".to_owned()));
        assert_eq!(of("oversold").mistake.as_deref(), Some("no_lock"));
        assert_eq!(of("outdated").opinion, Opinion::Silent("so".to_owned()));
    }

    #[test]
    fn a_failure_in_an_exploration_speaks_against_a_variant() {
        let mut report =
            json!({ "oversold": 0, "dishonest": 0, "unconserved": 0, "lost_sales": 0, "failed": 0 });
        assert_eq!(explored(&report).unwrap(), Opinion::Right);
        report["failed"] = json!(2);
        assert_eq!(explored(&report).unwrap(), Opinion::Wrong("failures".to_owned()));
        assert!(explored(&json!({})).is_err());
    }

    #[test]
    fn a_prediction_speaks_against_a_variant_only_if_it_was_confirmed() {
        let innocent =
            json!({ "guilty": false, "answer": 200, "predicted": 2, "confirmed": [], "seconds": 0.5 });
        assert_eq!(foretold(&innocent).unwrap().opinion, Opinion::Right);
        let unsold = json!({ "guilty": false, "answer": 503, "predicted": 0, "confirmed": [] });
        assert!(matches!(foretold(&unsold).unwrap().opinion, Opinion::Silent(_)));
        let guilty = json!({ "guilty": true, "predicted": 1, "confirmed": [{ "anomaly": "stale_check" }] });
        assert_eq!(foretold(&guilty).unwrap().opinion, Opinion::Wrong("stale_check".to_owned()));
        let in_turn =
            json!({ "guilty": true, "predicted": 0, "confirmed": [], "in_turn": { "letters": "AABB" } });
        assert_eq!(foretold(&in_turn).unwrap().opinion, Opinion::Wrong("one after the other".to_owned()));
    }
}
