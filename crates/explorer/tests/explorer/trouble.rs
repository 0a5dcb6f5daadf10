//! A client that leaves, a connection that breaks, and an answer that is lost, at each step of a purchase, while another
//! buyer buys in every order: no rule may be broken.

use flash_sale_explorer::{Act, Exploration, ExploreOptions, Stage, Trouble, TroubleKind, explore_trouble};

use crate::{ALL, options, stage};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_at_any_step_of_a_locked_purchase() {
    let (mut stage, _folder) = stage(2).await;
    for kind in TroubleKind::ALL {
        nothing_is_lost(&mut stage, "pessimistic", false, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_at_any_step_of_a_purchase_from_buckets() {
    let (mut stage, _folder) = stage(2).await;
    for kind in TroubleKind::ALL {
        nothing_is_lost(&mut stage, "stock_buckets", false, kind).await;
    }
}

/// What is left behind is a hold, and no order: the copy comes back when the hold lapses.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_client_of_a_reservation_leaves_at_any_step() {
    let (mut stage, _folder) = stage(2).await;
    // When its connection breaks, the copy goes back after the answer. The explorer can't control when that begins. The
    // shop's tests kill replicas there.
    nothing_is_lost(&mut stage, "reservation", false, TroubleKind::ClientLeaves).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn nothing_is_lost_at_any_step_of_any_strategy() {
    // Nothing is left out of the schedules of serializable, so they take minutes by themselves.
    for strategy in ALL.iter().filter(|strategy| !["unlocked", "serializable"].contains(*strategy)) {
        // A replica sometimes deletes old keys by itself, and that would be a step. It does so after minutes.
        let (mut stage, _folder) = stage(2).await;
        for kind in TroubleKind::ALL {
            nothing_is_lost(&mut stage, strategy, false, kind).await;
        }
    }
}

/// Buyers of `skip_locked` try again so often that there is no end to its schedules.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn nothing_is_lost_at_any_step_of_a_purchase_with_a_key() {
    let is_left_out = |strategy: &str| ["unlocked", "serializable", "skip_locked"].contains(&strategy);
    for strategy in ALL.iter().filter(|strategy| !is_left_out(strategy)) {
        let (mut stage, _folder) = stage(2).await;
        for kind in TroubleKind::ALL {
            nothing_is_lost(&mut stage, strategy, true, kind).await;
        }
    }
}

/// `has_key`: the buyer whom the trouble befalls has an Idempotency-Key, and asks again with it. The other buyer needs none.
async fn nothing_is_lost(stage: &mut Stage, strategy: &str, has_key: bool, kind: TroubleKind) {
    let buy =
        |key: Option<&str>| Act::Buy { strategy: Some(strategy.to_owned()), key: key.map(str::to_owned) };
    let acts = vec![buy(has_key.then_some("key of A")), buy(None)];
    let two = ExploreOptions { is_reduced: true, ..options(acts, 1) };
    let explored = explore_trouble(stage, &two, kind, &|_, _| {}).await.unwrap();
    let all = Exploration::of_all(explored.clone());
    println!(
        "{strategy}, key {has_key}, {kind:?}: {} statements, {} schedules, {:.1} s {:?} {:?}",
        explored.len(),
        all.schedules,
        all.seconds,
        all.answers,
        all.notes
    );
    assert!(all.troubled > 0, "{strategy}, {kind:?}: nothing has befallen anybody");
    for (step, at_step) in explored.iter().enumerate() {
        let what = format!("{strategy}, key {has_key}, {kind:?} at statement {}", step + 1);
        assert!(at_step.is_right() && at_step.complete, "{what}: {at_step:#?}");
    }
}

/// When A's connection is cut, PostgreSQL takes a moment to end its session. Until then, the session holds its locks,
/// and what comes next would depend on who is faster.
#[tokio::test(flavor = "multi_thread")]
async fn the_locks_of_a_connection_that_is_cut_are_free_at_the_next_step_and_in_the_next_schedule() {
    let (mut stage, _folder) = stage(2).await;
    let buy =
        |key: Option<&str>| Act::Buy { strategy: Some("nowait".to_owned()), key: key.map(str::to_owned) };
    let two = options(vec![buy(Some("key of A")), buy(None)], 1);
    // A has locked the row and inserted its order. Its UPDATE never arrives, and B asks for the row.
    for _ in 0..10 {
        let trouble = Some(Trouble { kind: TroubleKind::ConnectionBreaks, step: 6 });

        let played = stage.replay(&ExploreOptions { trouble, ..two.clone() }, "AAAAAAABBBBB").await.unwrap();

        assert!(played.is_troubled);
        assert_eq!(played.outcome.statuses, [Some(503), Some(200)], "{played:#?}");
    }
}

/// A's UPDATE waits while its client leaves. The replica then closes the connection, behind two ROLLBACKs.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_sends_before_it_closes_its_connection_is_carried_out_and_answered() {
    let (mut stage, _folder) = stage(2).await;
    let buy = |key: Option<&str>| Act::Buy {
        strategy: Some("check_constraint".to_owned()),
        key: key.map(str::to_owned),
    };
    let trouble = Some(Trouble { kind: TroubleKind::ClientLeaves, step: 6 });
    let two = options(vec![buy(Some("key of A")), buy(None)], 1);

    let played = stage.replay(&ExploreOptions { trouble, ..two.clone() }, "AAAAABBBABAB").await.unwrap();

    assert!(played.is_troubled);
    assert!(played.outcome.flaws.is_empty(), "{played:#?}");
}
