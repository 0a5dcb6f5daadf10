//! What the dashboard's JSON says of waits and orders, beside what PostgreSQL's own tables say: `pg_locks`, as another
//! session saw it meanwhile, and the rows afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use flash_sale_testbed::port::free_port;
use futures::future::join_all;
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, PgPool};
use uuid::Uuid;

use super::*;

/// A wait that the other session has seen for so long is in the JSON.
const SURELY_SEEN: Duration = Duration::from_millis(80);
/// Who waits for the transaction of whom (PostgreSQL manual, section 53.13, "pg_locks"). Other tests have databases of
/// their own on the same server.
const WAITS: &str = "SELECT waiting.pid, holding.pid FROM pg_locks AS waiting JOIN pg_locks AS holding
     ON holding.locktype = 'transactionid' AND holding.transactionid = waiting.transactionid AND holding.granted
     JOIN pg_stat_activity AS session ON session.pid = waiting.pid AND session.datname = current_database()
     WHERE waiting.locktype = 'transactionid' AND NOT waiting.granted";

/// The session that waited, and the session that it waited for.
type Pair = (i32, i32);

#[tokio::test]
async fn waits_and_orders_are_those_of_pg_locks_and_of_the_rows() {
    compare("unlocked", 5).await;
    compare("pessimistic", 5).await;
}

#[tokio::test]
#[ignore = "a minute: run by .ci/run"]
async fn waits_and_orders_of_two_hundred_clicks_are_those_of_pg_locks_and_of_the_rows() {
    compare("unlocked", 200).await;
    compare("pessimistic", 200).await;
}

/// Makes so many clicks, and compares each with what the tables say.
async fn compare(strategy: &str, clicks: usize) {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let port = free_port().unwrap();
    project.variables.push(("DASHBOARD_PORT", port.to_string()));
    project.variables.push(("RACE_WINDOW_MS", "120".to_owned()));
    project.up().await;
    let side = PgPoolOptions::new().max_connections(2).connect(&database.url).await.unwrap();
    let product: Uuid = sqlx::query_scalar("SELECT id FROM products").fetch_one(&side).await.unwrap();
    let (mut random, mut waits) = (fastrand::Rng::new(), 0);

    for copies in [1, 2, 0].into_iter().cycle().take(clicks) {
        let before = newest(port).await.first().map_or(0, number);
        sqlx::query("UPDATE products SET quantity = $1").bind(copies).execute(&side).await.unwrap();
        sqlx::query("DELETE FROM orders").execute(&side).await.unwrap();
        let second = Duration::from_millis(random.u64(0..=60));
        let seen = click(&project, &side, product, strategy, second).await;
        let seen: BTreeMap<Pair, Duration> = seen;

        let transactions = newest(port).await;
        let of_click: Vec<&Value> = transactions.iter().filter(|seen| number(seen) > before).collect();
        let told = waits_in(&of_click);
        for (pair, lasted) in &seen {
            let told = told.get(pair);
            assert!(
                told.is_some() || *lasted < SURELY_SEEN,
                "{strategy}: {pair:?} for {lasted:?}, {of_click:#?}"
            );
            // Each look was answered a little after PostgreSQL looked.
            let least = lasted.as_secs_f64() * 1e3 - 10.0;
            assert!(told.is_none_or(|ms| *ms >= least), "{strategy}: {pair:?} for {lasted:?}, told {told:?}");
        }
        let of_long_waits = told.iter().filter(|(_, ms)| **ms > SURELY_SEEN.as_secs_f64() * 1e3);
        for (pair, ms) in of_long_waits {
            assert!(seen.contains_key(pair), "{strategy}: nobody else saw that {pair:?} waited {ms} ms");
        }
        waits += told.len();
        let orders: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM orders").fetch_all(&side).await.unwrap();
        let orders: BTreeSet<String> = orders.iter().map(Uuid::to_string).collect();
        assert_eq!(orders_in(&of_click), orders, "{strategy}: {of_click:#?}");
    }
    println!("{strategy}: {clicks} clicks, {waits} waits");
    assert!(strategy != "pessimistic" || waits > 0, "nobody has waited");
    project.run(&["down"]).await;
}

/// Two purchases, the second one so much later. Returns for how long another session saw who waited for whom.
async fn click(
    project: &Project,
    side: &PgPool,
    product: Uuid,
    strategy: &str,
    second: Duration,
) -> BTreeMap<Pair, Duration> {
    let body = format!(r#"{{"product_id":"{product}","strategy":"{strategy}"}}"#);
    let buy = async |later: Duration| {
        tokio::time::sleep(later).await;
        // A client of its own: its connection goes to the next replica.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(project.url("/api/orders")).body(body.clone()).send().await.unwrap();
        assert!(answer.status() == 200 || answer.status() == 400, "{}", answer.status());
    };
    let mut seen: BTreeMap<Pair, (Instant, Instant)> = BTreeMap::new();
    let watch = async {
        loop {
            let asked = Instant::now();
            let pairs: Vec<Pair> = sqlx::query_as(WAITS).fetch_all(side).await.unwrap();
            for pair in pairs {
                seen.entry(pair).or_insert((Instant::now(), asked)).1 = asked;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::select! {
        _ = join_all([buy(Duration::ZERO), buy(second)]) => {}
        () = watch => {}
    }
    seen.into_iter().map(|(pair, (first, last))| (pair, last.saturating_duration_since(first))).collect()
}

async fn newest(port: u16) -> Vec<Value> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://localhost:{port}/api/transactions?limit=40");
    client.get(url).send().await.unwrap().json().await.unwrap()
}

fn number(transaction: &Value) -> u64 {
    transaction["number"].as_u64().unwrap()
}

/// Who waited for whom, and for how many milliseconds in all.
fn waits_in(transactions: &[&Value]) -> BTreeMap<Pair, f64> {
    let mut waits = BTreeMap::new();
    for transaction in transactions {
        let waiting = transaction["backend_pid"].as_i64().unwrap() as i32;
        for statement in transaction["statements"].as_array().unwrap() {
            if let Some(wait) = statement["blocked_by"].as_object() {
                let holding = wait["backend_pid"].as_i64().unwrap() as i32;
                *waits.entry((waiting, holding)).or_default() += wait["waited_ms"].as_f64().unwrap();
            }
        }
    }
    waits
}

fn orders_in(transactions: &[&Value]) -> BTreeSet<String> {
    let committed = transactions.iter().filter(|transaction| transaction["outcome"] == "committed");
    committed.filter_map(|transaction| transaction["order_id"].as_str().map(str::to_owned)).collect()
}
