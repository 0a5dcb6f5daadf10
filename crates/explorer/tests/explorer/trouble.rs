//! A client that leaves, a connection that breaks, and an answer that is lost, at each step of a purchase, while another
//! buyer buys in every order: no rule may be broken.

use flash_sale_explorer::{Act, ExploreOptions, Stage, TroubleKind, explore_trouble};

use crate::{ALL, options, stage};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_at_any_step_of_a_locked_purchase() {
    let (mut stage, _folder) = stage(2).await;
    for kind in TroubleKind::ALL {
        nothing_is_lost(&mut stage, "pessimistic", false, kind).await;
    }
}

/// What is left behind is a hold, and no order: the copy comes back when the hold lapses.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_at_any_step_of_a_reservation() {
    let (mut stage, _folder) = stage(2).await;
    for kind in TroubleKind::ALL {
        nothing_is_lost(&mut stage, "reservation", false, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn nothing_is_lost_at_any_step_of_any_strategy() {
    let (mut stage, _folder) = stage(2).await;
    for strategy in ALL.iter().filter(|strategy| **strategy != "unlocked") {
        for has_key in [false, true] {
            for kind in TroubleKind::ALL {
                nothing_is_lost(&mut stage, strategy, has_key, kind).await;
            }
        }
    }
}

async fn nothing_is_lost(stage: &mut Stage, strategy: &str, has_key: bool, kind: TroubleKind) {
    let act = |buyer: &str| Act::Buy {
        strategy: Some(strategy.to_owned()),
        key: has_key.then(|| format!("key of {buyer}")),
    };
    let two = ExploreOptions { is_reduced: true, ..options(vec![act("A"), act("B")], 1) };
    let explored = explore_trouble(stage, &two, kind).await.unwrap();
    let schedules: usize = explored.iter().map(|at_step| at_step.schedules).sum();
    println!("{strategy}, key {has_key}, {kind:?}: {} steps, {schedules} schedules", explored.len());
    assert!(!explored.is_empty(), "{strategy}, {kind:?}: nothing has befallen anybody");
    for (step, at_step) in explored.iter().enumerate() {
        assert!(at_step.is_right(), "{strategy}, key {has_key}, {kind:?} at step {step}: {at_step:#?}");
    }
}
