//! The one thing that no system can know: COMMIT was sent, and its answer is lost. It is told as what it is,
//! and only then; the same Idempotency-Key settles it.

use std::time::{Duration, Instant};

use flash_sale_testbed::testing::{SideConnection, wait_until};
use flash_sale_wiretap::line::{At, Line, Which};
use reqwest::{Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use uuid::Uuid;

use crate::{Answer, Shop, read};

const UNKNOWN: &str = "The answer was lost, so the outcome is unknown. If the request had an Idempotency-Key, \
                       send it again with the same key";
/// Sold by one statement, the purchase is nothing else.
const STATEMENT: &str = "INSERT INTO orders";

/// Ways to sell, with what commits each of them.
const WAYS: [(Option<&str>, &str); 4] = [
    (None, "COMMIT"),
    (Some("pessimistic"), "COMMIT"),
    (Some("single_statement"), STATEMENT),
    (Some("batched"), STATEMENT),
];

#[tokio::test]
async fn a_purchase_whose_commit_is_not_answered_is_told_as_unknown() {
    for (way, commits) in WAYS {
        let (shop, line, _) = Shop::on_a_line(|_| {}).await;

        let answer = without_answer_to(commits, &line, buy(&shop, way, None)).await;

        assert_unknown(&answer);
        assert!(answer.headers.get("retry-after").is_none(), "a second purchase would be a second order");
        assert_eq!((shop.order_count().await, shop.stock().await), (1, 0), "{way:?}");
    }
}

#[tokio::test]
async fn the_same_key_settles_what_was_unknown() {
    for (way, _) in WAYS {
        let (shop, line, _) = Shop::on_a_line(|_| {}).await;

        let unknown = without_answer_to("COMMIT", &line, buy(&shop, way, Some("click-1"))).await;
        let settled = buy(&shop, way, Some("click-1")).await;

        assert_unknown(&unknown);
        assert_eq!(unknown.header("retry-after"), "1", "with its key it may be repeated");
        assert_eq!(settled.status, 200, "{}", settled.body);
        assert_eq!(settled.header("idempotency-replayed"), "true");
        assert_eq!((shop.order_count().await, shop.stock().await), (1, 0), "{way:?}");
    }
}

#[tokio::test]
async fn a_reset_whose_commit_is_not_answered_is_unknown_too() {
    let (shop, line, _) = Shop::on_a_line(|_| {}).await;

    assert_unknown(&without_answer_to("COMMIT", &line, shop.post("/api/reset")).await);
    assert_eq!(shop.post("/api/reset").await.status, 200);
}

/// A refusal is an answer: whether PostgreSQL's own limit ends the wait in COMMIT, or somebody ends the session.
#[tokio::test]
async fn a_commit_that_postgres_refuses_is_no_unknown_outcome() {
    for end_session in [false, true] {
        let shop = Shop::open().await;
        let side = hold_commits(&shop).await;
        let purchase = tokio::spawn(read(request(&shop, shop.book().await, None, Some("click-1"))));
        wait_until("it commits", async || side.waiting_statements().await == ["COMMIT"]).await;
        if end_session {
            let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND datname = current_database()";
            assert_eq!(shop.one::<i64>(end).await, 1);
        }

        let answer = purchase.await.unwrap();

        answer.assert_problem(503, "The database is away or too busy. Try again");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(answer.json().get("outcome").is_none());
        side.commit().await;
        nothing_is_open(&shop).await;
        assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
        assert_eq!(buy(&shop, None, Some("click-1")).await.status, 200);
    }
}

/// PostgreSQL's process is frozen, so that none of its own limits end the wait: only the shop's deadline does.
#[tokio::test]
async fn past_its_deadline_a_purchase_is_given_up_and_never_happens() {
    let shop = Shop::open().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    let begun = Instant::now();
    let purchase = tokio::spawn(read(request(&shop, shop.book().await, None, None)));
    wait_until("it waits for the row", async || side.waiting_statements().await.len() == 1).await;
    let frozen = Frozen::the_waiting_one(&shop).await;

    let answer = purchase.await.unwrap();

    answer.assert_problem(503, "The shop took too long and has given up. Try again");
    let id = answer.header("x-request-id");
    let line = format!("was given up after 8 s (replica-1, request {id}, product {})", shop.book().await);
    assert!(shop.replicas[0].log().contains(&line), "{}", shop.replicas[0].log());
    assert_eq!(answer.header("retry-after"), "1");
    let took = begun.elapsed();
    assert!((Duration::from_secs(8)..Duration::from_secs(10)).contains(&took), "{took:?}");
    side.commit().await;
    drop(frozen);
    nothing_is_open(&shop).await;
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_deadline_in_the_commit_leaves_the_outcome_open() {
    let shop = Shop::open().await;
    let side = hold_commits(&shop).await;
    let purchase = tokio::spawn(read(request(&shop, shop.book().await, None, Some("click-1"))));
    wait_until("it commits", async || side.waiting_statements().await == ["COMMIT"]).await;
    let frozen = Frozen::the_waiting_one(&shop).await;

    let answer = purchase.await.unwrap();

    assert_unknown(&answer);
    assert_eq!(answer.header("retry-after"), "1");
    side.commit().await;
    drop(frozen);
    nothing_is_open(&shop).await;
    let before = shop.order_count().await;
    assert_eq!(buy(&shop, None, Some("click-1")).await.status, 200);
    assert_eq!(shop.order_count().await, 1, "settled, whether there were {before} orders or not");
}

/// The answer to a request whose connection to PostgreSQL breaks when what commits was carried out, before the answer
/// arrives.
async fn without_answer_to(
    commits: &'static str,
    line: &Line,
    request: impl Future<Output = Answer>,
) -> Answer {
    let mut hold = line.hold(Which::Saying(commits), At::Answer);
    let cut = async {
        hold.reached().await;
        hold.cut();
    };
    tokio::join!(request, cut).0
}

async fn buy(shop: &Shop, strategy: Option<&str>, key: Option<&str>) -> Answer {
    read(request(shop, shop.book().await, strategy, key)).await
}

fn request(shop: &Shop, book: Uuid, strategy: Option<&str>, key: Option<&str>) -> RequestBuilder {
    let request = shop.request(Method::POST, "/api/orders");
    let request = request.json(&json!({ "product_id": book, "strategy": strategy }));
    if let Some(key) = key { request.header("Idempotency-Key", key) } else { request }
}

/// From now on every order waits in its COMMIT until the connection lets go.
async fn hold_commits(shop: &Shop) -> SideConnection {
    shop.execute(
        "CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$",
    )
    .await;
    shop.execute(
        "CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait_at_commit()",
    )
    .await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT pg_advisory_xact_lock(7)").await;
    side
}

/// A process of PostgreSQL that does nothing until this value is dropped.
struct Frozen(Pid);

impl Frozen {
    async fn the_waiting_one(shop: &Shop) -> Self {
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let pid = Pid::from_raw(shop.one::<i32>(sql).await).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

async fn nothing_is_open(shop: &Shop) {
    wait_until("nothing of it is left", async || !shop.works_in_the_database().await).await;
}

#[track_caller]
fn assert_unknown(answer: &Answer) {
    answer.assert_problem(503, UNKNOWN);
    assert_eq!(answer.json()["outcome"], "unknown");
}
