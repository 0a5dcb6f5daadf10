//! `lab predict` on the real shop: one purchase, and what of two comes true.

use serde_json::json;

use super::*;

/// Ways to sell whose code the learner doesn't edit: pairs of statements that could do harm, and pairs that did.
const NEVER_CHANGE: [(&str, usize, usize); 5] = [
    ("unlocked", 1, 1),
    // It locks the row.
    ("pessimistic", 0, 0),
    // Its UPDATE has a condition, and one purchase can't show that somebody looks at the row count.
    ("optimistic", 1, 0),
    ("atomic_update", 1, 0),
    // One of two such purchases fails.
    ("serializable", 0, 0),
];

async fn predict(project: &Project, more: &[&str]) -> (i32, Value) {
    let arguments = [&["predict", "--json"], more].concat();
    let predicted = project.run(&arguments).await;
    (predicted.code, serde_json::from_str(&predicted.output).expect(&predicted.errors))
}

#[tokio::test]
async fn only_what_came_true_is_reported_as_harm() {
    let project = Project::new();
    for (strategy, predicted, confirmed) in NEVER_CHANGE {
        let (code, found) = predict(&project, &["--strategy", strategy]).await;

        assert_eq!(found["predicted"], predicted, "{strategy}: {found:#}");
        let harm = found["confirmed"].as_array().unwrap();
        assert_eq!(harm.len(), confirmed, "{strategy}: {found:#}");
        assert_eq!(found["guilty"], confirmed > 0, "{strategy}");
        assert_eq!(code, i32::from(confirmed > 0), "{strategy}");
        if let Some(harm) = harm.first() {
            assert_eq!((&harm["anomaly"], &harm["letters"]), (&json!("stale_check"), &json!("AABBBBBAAA")));
            assert_eq!(harm["outcome"]["orders"], 2, "{found:#}");
        }
    }
    project.run(&["clean"]).await;
}

/// The shop as it is shipped is guilty. The shop with the learner's edit is not, and the guard is named.
#[tokio::test]
async fn the_exercise_is_guilty_or_names_what_guards_it() {
    let project = Project::new();
    let (code, found) = predict(&project, &[]).await;

    let guarded = found["guarded"].as_array().unwrap();
    let is_shipped = found["guilty"] == true && found["confirmed"].as_array().unwrap().len() == 1;
    let is_fixed = guarded.iter().any(|guarded| guarded["guard"] == "row_lock" && guarded["by"] == 2);
    assert!(is_shipped != is_fixed, "{found:#}");
    assert_eq!(code, i32::from(is_shipped));
    let said = project.run(&["predict"]).await.output;
    let headline =
        if is_shipped { "GUILTY: one purchase shows how two can break a rule" } else { "NOTHING TO FEAR" };
    assert!(said.starts_with(headline), "{said}");
    assert_eq!(said.contains("Play it again: make explore"), is_shipped, "{said}");
    assert!(said.contains("The proof is: make explore"), "{said}");
}

#[tokio::test]
async fn what_is_not_known_is_said_in_words_and_as_json() {
    let project = Project::new();
    let (code, said) = predict(&project, &["--strategy", "nope"]).await;
    assert_eq!(code, 2);
    assert!(said["error"].as_str().unwrap().contains("It knows: unlocked, pessimistic"), "{said}");
    let (code, said) = predict(&project, &["--nope"]).await;
    assert_eq!(code, 2);
    assert!(said["error"].as_str().unwrap().contains("unexpected argument"), "{said}");
}
