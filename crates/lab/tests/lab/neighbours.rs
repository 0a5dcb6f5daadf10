//! Two projects on one machine.

use super::*;

#[tokio::test]
async fn two_checkouts_run_side_by_side() {
    let (one, other) = (Project::new(), Project::new());
    let (up, _) = tokio::join!(one.up(), other.up());
    assert!(up.output.contains(&one.port.to_string()), "{}", up.output);
    let (of_one, of_other) = (one.status().await, other.status().await);
    assert!(all_pids(&of_one).iter().all(|pid| !all_pids(&of_other).contains(pid)));

    let click = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let click = click.unwrap();
    for project in [&one, &other] {
        assert_eq!(click.post(project.url("/buy")).send().await.unwrap().status(), 303);
    }
    let sold = (orders(&one).await, orders(&other).await);
    assert!(sold.0 > 0 && sold.1 > 0, "{sold:?}");

    // A reset of the one takes nothing away from the other. A restart doesn't either, and neither
    // does the end.
    assert_eq!(click.post(one.url("/reset")).send().await.unwrap().status(), 303);
    assert_eq!((orders(&one).await, orders(&other).await), (0, sold.1));
    assert!(one.run(&["restart"]).await.success);
    assert_eq!(replica_pids(&other.status().await), replica_pids(&of_other));
    assert!(one.run(&["clean"]).await.success);
    assert_all_gone(&of_one).await;

    assert_eq!(all_pids(&other.status().await), all_pids(&of_other));
    assert_eq!(click.post(other.url("/reset")).send().await.unwrap().status(), 303);
    assert_eq!(click.post(other.url("/buy")).send().await.unwrap().status(), 303);
    assert!(orders(&other).await > 0);
    other.run(&["down"]).await;
    assert_all_gone(&of_other).await;
}

async fn orders(project: &Project) -> usize {
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(project.url("/api/orders"));
    let orders: Value = serde_json::from_str(&answer.send().await.unwrap().text().await.unwrap()).unwrap();
    orders.as_array().unwrap().len()
}
