//! `lab step` on the real shop, driven by a pipe: a script types what a person would type.

use flash_sale_lab::project::STEP;

use super::*;

/// Starts it, types these characters, and closes the pipe.
async fn typed(project: &Project, arguments: &[&str], letters: &str) -> Outcome {
    let mut step = project.command(&[&["step"], arguments].concat());
    let mut step = step.stdin(Stdio::piped()).spawn().unwrap();
    step.stdin.take().unwrap().write_all(letters.as_bytes()).await.unwrap();
    Outcome::of(step.wait_with_output().await.unwrap())
}

/// The exercise as it was shipped is `unlocked`, which the learner doesn't edit.
#[tokio::test]
async fn letters_make_the_shop_sell_one_copy_twice() {
    let project = Project::new();

    let played = typed(&project, &["--strategy", "unlocked"], "aa bp1\nua\nb\nbbb aaa bbb q\n").await;

    assert_eq!(played.code, 0, "{}", played.errors);
    for said in [
        "make it sell more copies than there are",
        "Step 2. A sent SELECT: saw quantity 1\n  stock 1, orders 0",
        "B reads next: SELECT. What will B read?",
        "You said of B: it reads 1. So it is.",
        "A holds: row of the book",
        "OVERSOLD. You have made the shop sell 2 copies, and there were 1.",
    ] {
        assert!(played.output.contains(said), "{said}: {}", played.output);
    }
    let command = played.output.lines().rev().find_map(|line| line.split_once("ARGS=\"")).unwrap().1;
    let replay: Vec<&str> = command.trim_end_matches('"').split(' ').collect();
    let replayed = project.run(&[&["explore"], &replay[..]].concat()).await;
    assert_eq!(replayed.code, 1, "{}", replayed.errors);
    assert!(replayed.output.contains("A rule is broken: 2 orders, stock -1"), "{}", replayed.output);

    project.run(&["clean"]).await;
    assert!(!project.path().join(STEP).exists());
}

/// The walkthrough's fix is `pessimistic`.
#[tokio::test]
async fn with_the_fix_the_second_purchase_waits_and_reads_what_is_left() {
    let project = Project::new();

    let played = typed(&project, &["--strategy", "pessimistic"], "aa b p1 b aaa b").await;

    assert_eq!(played.code, 0, "{}", played.errors);
    for said in [
        "You said of B: it reads 1. But it waits.",
        "B waits for A",
        "B waits for: end of transaction",
        "B can't go on: B waits for A.",
        "A is done: its buyer is answered 200",
        "Both purchases are done. Orders: 1. Copies that are left: 0.",
    ] {
        assert!(played.output.contains(said), "{said}: {}", played.output);
    }
    assert!(!played.output.contains("OVERSOLD"), "{}", played.output);
}

#[tokio::test]
async fn what_means_nothing_is_said_and_the_end_of_the_input_ends_it() {
    let project = Project::new();

    let played = typed(&project, &["--strategy", "nowait"], "u p x ? a").await;

    assert_eq!(played.code, 0, "{}", played.errors);
    for said in [
        "There is no step to be taken back",
        "No purchase reads the stock with its next statement",
        "x means nothing here",
        "take the last step back",
        "It ends before both purchases are done",
        r#"make explore ARGS="--replay A --strategy nowait --inside never""#,
    ] {
        assert!(played.output.contains(said), "{said}: {}", played.output);
    }
    let unknown = typed(&project, &["--strategy", "nope"], "").await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.errors.contains("the shop knows no strategy nope"), "{}", unknown.errors);
}

/// Otherwise PostgreSQL's files would vanish under it.
#[tokio::test]
async fn what_is_at_work_beside_the_shop_is_not_cleaned_away() {
    let project = Project::new();
    let mut step = project.command(&["step"]).stdin(Stdio::piped()).spawn().unwrap();
    let input = step.stdin.take();
    wait_until("replicas and PostgreSQL run", async || explore::working_in(&project, STEP) > 3).await;

    let refused = project.run(&["clean"]).await;

    assert_eq!(refused.code, 1, "{}", refused.output);
    let said = "make step is at work in .flash-sale/step, so nothing was removed";
    assert!(refused.errors.contains(said), "{}", refused.errors);
    drop(input);
    let ended = Outcome::of(step.wait_with_output().await.unwrap());
    assert_eq!(ended.code, 0, "{}", ended.errors);
    assert!(project.path().join(STEP).is_dir());
    assert!(project.run(&["clean"]).await.success);
    assert!(!project.path().join(STEP).exists());
}

#[tokio::test]
async fn a_step_that_is_interrupted_leaves_no_process() {
    let project = Project::new();
    for signal in [Signal::INT, Signal::TERM] {
        let mut step = project.command(&["step"]).stdin(Stdio::piped()).spawn().unwrap();
        let input = step.stdin.take();
        wait_until("replicas and PostgreSQL run", async || explore::working_in(&project, STEP) > 3).await;

        kill_process(Pid::from_raw(step.id().unwrap() as i32).unwrap(), signal).unwrap();
        let ended = Outcome::of(step.wait_with_output().await.unwrap());

        drop(input);
        assert_eq!(ended.code, 1, "{}", ended.errors);
        assert!(ended.errors.contains("stopped before the end"), "{}", ended.errors);
        wait_until("all has ended", async || explore::working_in(&project, STEP) == 0).await;
    }
}
