//! A person is the scheduler: the steps that were chosen, and what is seen after each of them.

use flash_sale_explorer::{Flaw, HandPlay, Look, Next, NotPossible, Played};

use super::*;

fn purchases(strategy: &str) -> ExploreOptions {
    let act = Act::Buy { strategy: Some(strategy.to_owned()), key: None };
    options(vec![act; 2], 1)
}

fn up_to_here(steps: &[usize]) -> HandPlay {
    HandPlay { steps: steps.to_vec(), fixed: steps.len(), is_to_the_end: false }
}

fn can_go_on(look: &Look) -> Vec<usize> {
    look.next.iter().map(|next: &Next| next.actor).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_stands_between_two_steps_and_sees_rows_and_locks_and_waits() {
    let (mut stage, _folder) = stage(2).await;
    let options = purchases("pessimistic");

    // A has locked the row and inserted its order. B asks for the row.
    let stands: Played = stage.play_by_hand(&options, &up_to_here(&[0, 0, 0, 1, 1])).await.unwrap();

    assert_eq!((stands.steps.len(), stands.looks.len(), stands.outcome.is_none()), (5, 6, true));
    let look = stands.looks.last().unwrap();
    assert_eq!((look.left, look.orders, look.waits.as_slice()), (1, 0, [(1, 0)].as_slice()), "{look:#?}");
    assert_eq!(can_go_on(look), [0], "{look:#?}");
    let has = |actor: usize, what: &str, is_granted: bool| {
        look.locks
            .iter()
            .any(|lock| lock.actor == actor && lock.what.starts_with(what) && lock.is_granted == is_granted)
    };
    assert!(has(0, "row of the book", true) && has(1, "end of transaction", false), "{look:#?}");
    assert_eq!(stands.replies, [None, None]);
    // Nothing that was played after this moment is told.
    let statements: usize = stands.transactions.iter().map(|transaction| transaction.statements.len()).sum();
    assert_eq!(statements, 5, "{:#?}", stands.transactions);

    // A commits, and B reads on.
    let ends: Played = stage.play_by_hand(&options, &up_to_here(&[0, 0, 0, 1, 1, 0, 0])).await.unwrap();

    let look = ends.looks.last().unwrap();
    assert_eq!((look.left, look.orders, can_go_on(look).as_slice()), (0, 1, [1].as_slice()), "{look:#?}");
    assert_eq!(ends.replies[0].as_ref().unwrap().status, Some(200));
    assert_eq!(ends.replies[1], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_not_possible_is_refused_or_left_to_another_and_nothing_stays_held() {
    let (mut stage, _folder) = stage(2).await;
    let options = purchases("pessimistic");

    // B waits for A's lock.
    let steps = vec![0, 0, 1, 1, 1, 0];
    let wanted = HandPlay { fixed: 6, ..up_to_here(&steps) };
    let refused = stage.play_by_hand(&options, &wanted).await.unwrap_err();

    let refused = refused.downcast::<NotPossible>().unwrap();
    assert_eq!((refused.step, refused.actor), (5, 1));

    let wanted = HandPlay { fixed: 4, is_to_the_end: true, ..up_to_here(&steps) };
    let played: Played = stage.play_by_hand(&options, &wanted).await.unwrap();

    let actors: Vec<usize> = played.steps.iter().map(|step| step.actor).collect();
    assert_eq!(actors, [0, 0, 1, 1, 0, 0, 0, 1]);
    assert_eq!(played.looks.len(), 9);
    let outcome = played.outcome.unwrap();
    assert_eq!((outcome.orders, outcome.left, outcome.flaws.len()), (1, 0, 0), "{outcome:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reads_before_the_first_write_sell_one_copy_twice() {
    let (mut stage, _folder) = stage(2).await;
    let wanted = HandPlay { steps: vec![0, 0, 1, 1], fixed: 4, is_to_the_end: true };

    let played: Played = stage.play_by_hand(&purchases("unlocked"), &wanted).await.unwrap();

    let outcome = played.outcome.unwrap();
    assert!(outcome.flaws.contains(&Flaw::Oversold), "{outcome:#?}");
    assert_eq!(played.looks.last().unwrap().orders, 2);
}
