//! Answers to COMMIT that the wiretap loses: for a drill, and for anybody else who asks the lab for it.

use std::num::NonZeroUsize;
use std::time::Duration;

use flash_sale_core::{order, product};
use flash_sale_testbed::testing::TestDatabase;
use sea_orm::EntityTrait;
use serde_json::json;
use tokio::time::timeout;

use super::{SHORT, assert_no_flaw, broken, drill_with, figure};
use crate::check::what_is_there;
use crate::*;

const NO_WIRETAP: &str =
    "no wiretap stands between the replicas and PostgreSQL. With one: WIRETAP=on make stop run";

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn buyers_of_each_strategy_meet_lost_answers_and_no_order_is_lost_or_doubled() {
    let database = TestDatabase::create().await;
    let project = project_with_wiretap(&database, "on");
    project.up().await;

    let report = drill_with(&project, &["lost-commit-answer"]).await;

    let fault = &report["faults"][0];
    assert_no_flaw(fault);
    assert!(!broken(fault).contains("did not happen as planned"), "{fault:#}");
    let lost = &fault["lost_answers"];
    assert!(figure(lost, "answers") > 0 && figure(fault, "outcome_unknown_503") > 0, "{fault:#}");
    for strategy in ["pessimistic", "optimistic", "single_statement", "batched"] {
        let outcomes = &lost["strategies"][strategy];
        assert!(figure(outcomes, "without_key") > 0 && figure(outcomes, "settled") > 0, "{fault:#}");
        assert_eq!(figure(outcomes, "unsettled"), 0, "{fault:#}");
    }
    assert_eq!((&report["wiretap"], &fault["no_answer"]), (&true.into(), &json!({})));
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    let again = Buyer::of_the_book(&project, &database).await.buy(None).await;
    assert_eq!(again.0, 200, "no answer is lost any more");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn without_a_wiretap_no_answer_can_be_lost_and_the_drill_says_so() {
    let database = TestDatabase::create().await;
    let project = project_with_wiretap(&database, "off");
    project.up().await;

    let drill = project.run(&[&SHORT[..], &["lost-commit-answer"]].concat()).await;
    let text = project.run(&["drill", "--fault=lost-commit-answer"]).await;

    let report: Value = serde_json::from_str(&drill.output).unwrap_or_else(|_| panic!("{}", drill.errors));
    assert_eq!(report["skipped"], json!({ "lost-commit-answer": NO_WIRETAP }));
    assert_eq!((&report["wiretap"], &report["survived"]), (&false.into(), &false.into()));
    assert!(
        text.output.contains("\nwiretap: off. The replicas reach PostgreSQL directly.\n"),
        "{}",
        text.output
    );
    assert!(text.output.contains(&format!("lost-commit-answer: skipped, {NO_WIRETAP}\n")), "{}", text.output);
    let refused = project.ask(&Request::LoseCommitAnswers { one_in: NonZeroUsize::MIN }).await;
    assert_eq!(refused, Event::Failed(NO_WIRETAP.to_owned()));
    project.run(&["down"]).await;
}

/// One answer in one: a buyer without a key never learns the outcome, and a key settles it, because the second request
/// makes no order.
#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown_until_the_key_settles_it_or_the_loss_ends() {
    let database = TestDatabase::create().await;
    let project = project_with_wiretap(&database, "on");
    project.up().await;
    let buyer = Buyer::of_the_book(&project, &database).await;

    let losing = lose_answers(&project).await;
    let (status, answer) = buyer.buy(Some("click-1")).await;
    assert_eq!((status, &answer["outcome"]), (503, &"unknown".into()), "{answer}");
    assert_eq!(orders(&database).await.len(), 1);
    let (status, answer) = buyer.buy(Some("click-1")).await;
    assert_eq!((status, &answer["id"]), (200, &orders(&database).await[0].clone().into()), "{answer}");
    buyer.reset().await;
    let (status, answer) = buyer.buy(None).await;
    assert_eq!((status, &answer["outcome"]), (503, &"unknown".into()), "{answer}");
    assert_eq!(orders(&database).await.len(), 1);

    buyer.reset().await;
    assert_eq!(end(losing).await, Event::LostAnswers(2));
    assert_eq!(buyer.buy(None).await.0, 200);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn who_is_killed_while_answers_are_lost_leaves_a_shop_that_answers() {
    let database = TestDatabase::create().await;
    let project = project_with_wiretap(&database, "on");
    project.up().await;
    let buyer = Buyer::of_the_book(&project, &database).await;
    let arguments = ["drill", "--fault=lost-commit-answer", "--lasts=60", "--seconds=2", "--buyers=8"];
    let mut drill = project.command(&arguments).spawn().unwrap();
    let is_unknown = async || {
        buyer.reset().await;
        buyer.buy(None).await.1["outcome"] == "unknown"
    };
    wait_until("answers are lost", is_unknown).await;

    drill.kill().await.unwrap();

    wait_until("nobody loses answers any more", async || losing_is_free(&project).await).await;
    for _ in 0..8 {
        buyer.reset().await;
        assert_eq!(buyer.buy(None).await.0, 200);
    }
    project.run(&["down"]).await;
}

fn project_with_wiretap(database: &TestDatabase, wiretap: &str) -> Project {
    let mut project = Project::on(database);
    project.variables.push(("WIRETAP", wiretap.to_owned()));
    project
}

/// Has the lab lose every answer. It stops when the connection is dropped.
async fn lose_answers(project: &Project) -> UnixStream {
    let request = serde_json::to_string(&Request::LoseCommitAnswers { one_in: NonZeroUsize::MIN }).unwrap();
    let mut socket = UnixStream::connect(project.path().join(CONTROL_SOCKET)).await.unwrap();
    socket.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    assert_eq!(last_event(&mut socket, |_| {}).await.unwrap(), Some(Event::Done));
    socket
}

/// The lab loses answers for one command at a time. So when a command gets its turn, the command before it is gone.
async fn losing_is_free(project: &Project) -> bool {
    matches!(end(lose_answers(project).await).await, Event::LostAnswers(_))
}

/// Ends the loss, and returns the lab's last event.
async fn end(mut losing: UnixStream) -> Event {
    losing.shutdown().await.unwrap();
    let last = timeout(Duration::from_secs(10), last_event(losing, |_| {})).await;
    last.expect("the lab notices the end").unwrap().unwrap()
}

async fn orders(database: &TestDatabase) -> Vec<String> {
    let orders = order::Entity::find().all(&database.connection).await.unwrap();
    orders.into_iter().map(|order| order.id.to_string()).collect()
}

/// Buys the shop's book, by a strategy that never oversells.
struct Buyer {
    client: reqwest::Client,
    orders: String,
    reset: String,
    book: String,
}

impl Buyer {
    async fn of_the_book(project: &Project, database: &TestDatabase) -> Self {
        let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
        Self {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            orders: project.url("/api/orders"),
            reset: project.url("/api/reset"),
            book: book.id.to_string(),
        }
    }

    /// The status and the body of the answer.
    async fn buy(&self, key: Option<&str>) -> (u16, Value) {
        let body = json!({ "product_id": self.book, "strategy": "pessimistic" });
        let mut request = self.client.post(&self.orders).json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn reset(&self) {
        let answer = self.client.post(&self.reset).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}
