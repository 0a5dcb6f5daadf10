//! How many schedules there are, and what comes of them. An independent model counts them too.

use flash_sale_explorer::{Exploration, Inside};

use crate::model::{Counted, Model, count};
use crate::{explore_two, small_shop, stage};

const UNLOCKED: &[Model] = &[Model::Begin, Model::Read, Model::Insert, Model::Take, Model::Commit];
const LOCKED: &[Model] = &[Model::Begin, Model::ReadLocked, Model::Insert, Model::Take, Model::Commit];
const ATOMIC: &[Model] = &[Model::Begin, Model::TakeIfAny, Model::Insert, Model::Commit];
const LOCKED_NUMBER: &[Model] =
    &[Model::Begin, Model::Lock, Model::Read, Model::Insert, Model::Take, Model::Commit];

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_and_the_model_count_the_same_schedules() {
    let (mut stage, _folder) = stage(2).await;
    let cases = [
        ("unlocked", UNLOCKED, 182),
        ("pessimistic", LOCKED, 36),
        ("no_key_update", LOCKED, 36),
        ("atomic_update", ATOMIC, 24),
        ("advisory_lock", LOCKED_NUMBER, 50),
    ];
    for (strategy, statements, schedules) in cases {
        let explored = explore_two(&mut stage, Some(strategy), 1, Inside::Never, false).await;

        assert!(explored.complete, "{strategy}: {explored:#?}");
        assert_eq!(counted(&explored), count(statements), "{strategy}");
        assert_eq!(explored.schedules, schedules, "{strategy}");
        assert_eq!(explored.oversold, if strategy == "unlocked" { 170 } else { 0 }, "{strategy}");
    }
}

/// Two statements of each buyer can follow one another in 6 orders. Each statement of a sale both reads and writes, so it
/// can also be stopped in between: 4 steps of each buyer, in 70 orders. With one copy, the buyer who finds none makes 2
/// statements too, and the second one only reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_never_waits_and_sells_exactly_what_there_is() {
    let (mut stage, _folder) = stage(2).await;
    let cases = [
        (1, Inside::Never, 6),
        (2, Inside::Never, 6),
        (1, Inside::WhereItReads, 44),
        (2, Inside::WhereItReads, 70),
    ];
    for (stock, inside, schedules) in cases {
        let explored = explore_two(&mut stage, Some("reservation"), stock, inside, false).await;

        assert_eq!((explored.schedules, explored.waited), (schedules, 0), "{stock}: {explored:#?}");
        assert!(explored.complete && explored.is_right() && explored.failed == 0, "{stock}: {explored:#?}");
        let sells_all =
            explored.outcomes.iter().all(|(left, orders, ..)| (*left, *orders) == (0, stock as usize));
        assert!(sells_all, "{stock}: {explored:#?}");
    }
}

/// With one copy, the buyers meet at its bucket, as those of `atomic_update` at their row. With two copies, chance lets them
/// meet in two of its four choices. In the other two they take from a bucket each, and never wait: then the four steps of
/// each follow one another in 70 orders, and five steps in 252.
#[tokio::test(flavor = "multi_thread")]
async fn stock_buckets_sell_exactly_what_there_is_whatever_chance_chooses() {
    let (mut stage, _folder) = stage(2).await;
    let cases = [
        (1, Inside::Never, 24, 14),
        (2, Inside::Never, 2 * 24 + 2 * 70, 2 * 14),
        (1, Inside::WhereItReads, 92, 50),
        (2, Inside::WhereItReads, 2 * 92 + 2 * 252, 2 * 50),
    ];
    for (stock, inside, schedules, waited) in cases {
        let explored = explore_two(&mut stage, Some("stock_buckets"), stock, inside, false).await;

        assert_eq!((explored.schedules, explored.waited), (schedules, waited), "{stock}: {explored:#?}");
        assert!(explored.complete && explored.is_right() && explored.failed == 0, "{stock}: {explored:#?}");
        let sells_all =
            explored.outcomes.iter().all(|(left, orders, ..)| (*left, *orders) == (0, stock as usize));
        assert!(sells_all, "{stock}: {explored:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_before_the_lock_deadlocks_in_36_of_66_schedules() {
    let (mut stage, _folder) = crate::stage_of(2, small_shop()).await;

    let explored = explore_two(&mut stage, Some("insert_then_lock"), 1, Inside::Never, false).await;

    assert_eq!((explored.schedules, explored.deadlocked), (66, 36), "{explored:#?}");
    assert_eq!((explored.complete, explored.oversold, explored.waited), (true, 0, 54), "{explored:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_counts_before_it_writes_is_caught_only_where_it_is_stopped_inside() {
    let (mut stage, _folder) = crate::stage_of(2, small_shop()).await;

    let whole = explore_two(&mut stage, Some("count_in_subquery"), 1, Inside::Never, false).await;
    assert!(whole.complete && whole.oversold == 0, "{whole:#?}");

    let inside = explore_two(&mut stage, Some("count_in_subquery"), 1, Inside::WhereItReads, false).await;
    assert!(inside.complete && inside.oversold > 0, "{inside:#?}");
}

fn counted(explored: &Exploration) -> Counted {
    let Exploration { schedules, oversold, waited, .. } = *explored;
    Counted { schedules, oversold, waited }
}
