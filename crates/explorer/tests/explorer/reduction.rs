//! Reduction leaves schedules out. It must leave out no outcome.

use flash_sale_explorer::{Act, ExploreOptions, Inside, explore};

use crate::{ALL, explore_two, options, stage};

/// A few strategies of different kinds: without a lock, waiting, refusing, a statement, a queue, holds, several rows.
const SAMPLE: [&str; 7] =
    ["unlocked", "pessimistic", "nowait", "single_statement", "batched", "reservation", "stock_buckets"];

#[tokio::test(flavor = "multi_thread")]
async fn the_outcomes_of_two_buyers_are_the_same_with_and_without_reduction() {
    same_outcomes(&SAMPLE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn the_outcomes_of_every_strategy_are_the_same_with_and_without_reduction() {
    same_outcomes(&ALL).await;
}

async fn same_outcomes(strategies: &[&str]) {
    let (mut stage, _folder) = stage(2).await;
    let cases = strategies.iter().flat_map(|strategy| [1, 2].map(|stock| (*strategy, stock)));
    // Without reduction, there is no end to its schedules: repeated attempts multiply them.
    for (strategy, stock) in cases.filter(|case| *case != ("skip_locked", 1)) {
        let all = explore_two(&mut stage, Some(strategy), stock, Inside::Never, false).await;
        let reduced = explore_two(&mut stage, Some(strategy), stock, Inside::Never, true).await;

        println!("{strategy}, {stock} in stock: {} schedules, {} reduced", all.schedules, reduced.schedules);
        assert!(all.complete && reduced.complete, "{strategy}, {stock} in stock: {all:#?} {reduced:#?}");
        assert_eq!(all.outcomes, reduced.outcomes, "{strategy}, {stock} in stock");
        assert!(reduced.schedules <= all.schedules, "{strategy}, {stock} in stock");
        assert_eq!(all.is_right(), strategy != "unlocked" || stock == 2, "{strategy}: {all:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_buyers_buy_one_copy_once_in_all_classes_of_schedules() {
    let (mut stage, _folder) = stage(3).await;
    for strategy in ["pessimistic", "atomic_update"] {
        let three = options(vec![Act::Buy { strategy: Some(strategy.to_owned()), key: None }; 3], 1);

        let explored =
            explore(&mut stage, &ExploreOptions { is_reduced: true, ..three }, &|_, _| {}).await.unwrap();

        assert!(explored.complete && explored.is_right(), "{strategy}: {explored:#?}");
        assert_eq!(explored.outcomes.len(), 3, "each of the three buys once: {explored:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn three_buyers_have_the_same_outcomes_without_reduction() {
    let (mut stage, _folder) = stage(3).await;
    let three = options(vec![Act::Buy { strategy: Some("pessimistic".to_owned()), key: None }; 3], 1);

    let all = explore(&mut stage, &three, &|_, _| {}).await.unwrap();
    let reduced = ExploreOptions { is_reduced: true, ..three };
    let reduced = explore(&mut stage, &reduced, &|_, _| {}).await.unwrap();

    assert!(all.complete && reduced.complete, "{all:#?} {reduced:#?}");
    assert_eq!(all.outcomes, reduced.outcomes);
    assert_eq!(all.schedules, 2682, "{all:#?}");
}
