//! PostgreSQL locks a statement's tables already when the statement is prepared. A connection prepares each statement once.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_whose_table_is_locked_is_held_before_it_is_prepared() {
    let (mut stage, _folder) = stage_of(2, small_shop()).await;
    let act = Act::Buy { strategy: Some("share_the_table".to_owned()), key: None };
    let options = options(vec![act; 2], 1);

    // These are the first purchases of the replicas' connections, which have prepared nothing yet.
    let first = stage.replay(&options, "AAABBBAB").await.unwrap();

    assert_eq!(first.outcome.deadlocks, 1, "{first:#?}");
    assert!(first.notes.is_empty(), "{first:#?}");
    let again = stage.replay(&options, &first.letters()).await.unwrap();
    assert_eq!((&again.steps, &again.outcome), (&first.steps, &first.outcome));
}
