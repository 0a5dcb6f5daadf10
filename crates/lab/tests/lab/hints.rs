//! `lab hint`, as a person calls it.

use super::*;

#[tokio::test]
async fn the_hints_go_on_after_a_stop_and_begin_again_on_request() {
    let project = Project::new();

    assert!(project.run(&["hint"]).await.output.starts_with("Hint 1 of 3."));
    project.run(&["down"]).await;
    assert!(project.run(&["hint"]).await.output.starts_with("Hint 2 of 3."));
    assert!(project.run(&["hint"]).await.output.starts_with("Hint 3 of 3."));
    let again = project.run(&["hint"]).await;
    assert!(again.success && again.output.starts_with("Hint 3 of 3."), "{}", again.output);
    assert!(again.output.contains("make hint RESET=1"), "{}", again.output);

    assert!(project.run(&["hint", "--reset"]).await.output.starts_with("Hint 1 of 3."));
    assert!(project.run(&["hint"]).await.output.starts_with("Hint 2 of 3."));
}
