//! What a report says, and in which order.

use super::*;

fn checks(passed: [bool; 3]) -> Vec<Check> {
    let names = ["one click", "retry", "replicas"];
    names
        .iter()
        .zip(passed)
        .map(|(name, passed)| Check::new(name, passed, String::new(), "why").at("where"))
        .collect()
}

const FIGURES: Figures = Figures {
    rounds: 50,
    rounds_oversold: 0,
    purchases: 1250,
    sold: 80,
    copies_oversold: 0,
    orders_deleted: 0,
    seconds: 17.5,
};

fn report(passed: [bool; 3], figures: Figures) -> CheckReport {
    CheckReport::new(Ok(Interleavings::default()), checks(passed), vec!["a wait".to_owned()], figures)
}

#[test]
fn fixed_needs_every_check() {
    let fixed = report([true; 3], FIGURES);
    assert_eq!((fixed.verdict, fixed.costs), (CheckVerdict::Fixed, vec!["a wait".to_owned()]));
    assert_eq!(fixed.closing, "FIXED: 1,250 purchases, 0 oversold");

    for failing in 0..3 {
        let mut passed = [true; 3];
        passed[failing] = false;
        let other = report(passed, FIGURES);
        assert_eq!((other.verdict, other.costs), (CheckVerdict::NotFixed, Vec::new()));
    }
}

#[test]
fn what_failed_is_named() {
    let report = report([true, false, false], FIGURES);

    assert_eq!(report.closing, "NOT FIXED: 2 of 3 checks failed: retry, replicas");
    assert_eq!(report.checks[0].meaning, None);
    assert_eq!(report.checks[1].meaning.as_deref(), Some("why"));
}

#[test]
fn where_to_look_is_left_out_on_request_and_what_it_means_is_not() {
    let mut report = report([true, false, false], FIGURES);
    let places = |report: &CheckReport| {
        report.checks.iter().map(|check| check.place.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(places(&report), ["", "where", "where"]);

    assert!(report.hide_places());
    assert_eq!(places(&report), [""; 3]);
    assert_eq!(report.checks[1].meaning.as_deref(), Some("why"));
    assert!(!report.hide_places(), "nothing is left to hide");
}

#[test]
fn oversold_outweighs_all_else() {
    let one_click = Figures { rounds_oversold: 49, copies_oversold: 29, ..FIGURES };
    let clicked = report([false, false, true], one_click);
    assert_eq!((clicked.verdict, &*clicked.closing), (CheckVerdict::Oversold, "OVERSOLD in 49 of 50 rounds"));

    let crowd = Figures { copies_oversold: 29, ..FIGURES };
    let crowded = report([true, false, true], crowd);
    assert_eq!(crowded.verdict, CheckVerdict::Oversold);
    assert_eq!(crowded.closing, "OVERSOLD by 29 to the crowds, though not in 50 rounds");

    let played = Interleavings { schedules: 60, oversold: 3, ..Interleavings::default() };
    let proven = CheckReport::new(Ok(played), checks([false, true, true]), Vec::new(), FIGURES);
    assert_eq!(proven.verdict, CheckVerdict::Oversold);
    assert_eq!(proven.closing, "OVERSOLD in 3 of 60 interleavings of two purchases, though not in 50 rounds");
}

#[test]
fn as_json_it_is_an_object_for_graders() {
    let json = serde_json::to_value(report([true, true, false], FIGURES)).unwrap();

    assert_eq!(json["verdict"], "not_fixed");
    assert_eq!(json["checks"][2]["name"], "replicas");
    assert_eq!(json["checks"][2]["passed"], false);
    assert_eq!(json["figures"]["purchases"], 1250);
    assert_eq!(json.get("error"), None);
}

#[test]
fn without_a_shop_it_has_the_same_fields_and_the_reason() {
    let judged = serde_json::to_value(report([true; 3], FIGURES)).unwrap();
    let json =
        serde_json::to_value(CheckReport::without_verdict(CheckVerdict::NotJudged, "no shop".to_owned()))
            .unwrap();

    assert!(judged.as_object().unwrap().keys().all(|field| json.get(field).is_some()));
    assert_eq!(json["verdict"], "not_judged");
    assert_eq!(
        (json["closing"].as_str(), json["error"].as_str()),
        (Some("NOT JUDGED: no shop"), Some("no shop"))
    );
}
