//! Where two requests to one replica meet: in the database, or inside the replica.

use flash_sale_explorer::Meeting;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn purchases_of_one_replica_meet_in_the_database_or_in_its_memory_and_leave_nothing_behind() {
    let (mut stage, _folder) = stage(2).await;
    for (strategy, expected) in [
        ("unlocked", Meeting::InTheDatabase),
        ("pessimistic", Meeting::InTheDatabase),
        ("advisory_lock", Meeting::InTheDatabase),
        ("atomic_update", Meeting::InTheDatabase),
        // Its purchases of one product wait in a queue of the replica.
        ("batched", Meeting::InTheReplica),
    ] {
        let act = Act::Buy { strategy: Some(strategy.to_owned()), key: None };
        let options = options(vec![act; 2], 1);

        let meeting = stage.meet_in_one_replica(&options).await.unwrap();

        assert_eq!(meeting, expected, "{strategy}");
        let next = stage.replay(&options, "").await.unwrap();
        assert_eq!(next.outcome.orders, 1, "{strategy}: a schedule can be played afterwards: {next:#?}");
        assert!(next.notes.is_empty() || strategy == "batched", "{strategy}: {next:#?}");
    }
}
