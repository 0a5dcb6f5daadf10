//! Other requests beside a purchase: the same buyer's second request, a reset, a page.

use flash_sale_explorer::{Act, ExploreOptions, explore};

use crate::{options, stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_sends_a_key_twice_gets_one_copy_in_every_order() {
    let (mut stage, _folder) = stage(2).await;
    let twice = Act::Buy { strategy: Some("pessimistic".to_owned()), key: Some("one buyer".to_owned()) };
    let options = ExploreOptions { is_reduced: true, ..options(vec![twice; 2], 2) };

    let explored = explore(&mut stage, &options, &|_, _| {}).await.unwrap();

    assert!(explored.is_right(), "{explored:#?}");
    assert!(explored.outcomes.iter().all(|(left, orders, ..)| (*left, *orders) == (1, 1)), "{explored:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_and_a_page_disturb_no_purchase() {
    let (mut stage, _folder) = stage(2).await;
    for other in [Act::Reset, Act::Page] {
        let buy = Act::Buy { strategy: Some("pessimistic".to_owned()), key: None };
        let options = ExploreOptions { is_reduced: true, ..options(vec![buy, other.clone()], 1) };

        let explored = explore(&mut stage, &options, &|_, _| {}).await.unwrap();

        assert!(explored.complete && explored.is_right() && explored.failed == 0, "{other:?}: {explored:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_beside_a_product_that_it_leaves_alone_is_refused() {
    let (mut stage, _folder) = stage(2).await;
    let buy = Act::Buy { strategy: Some("skip_locked".to_owned()), key: None };

    let refused = explore(&mut stage, &options(vec![buy, Act::Reset], 1), &|_, _| {}).await.unwrap_err();

    assert!(refused.to_string().contains("skip_locked sells a product of its own"), "{refused:#}");
}
