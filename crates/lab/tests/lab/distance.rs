//! The distance that the lab lends: its replicas are far from PostgreSQL for as long as the borrower is there.

use std::time::Duration;

use flash_sale_core::{order, product};
use flash_sale_lab::drill::distance::FAR;
use flash_sale_testbed::testing::{SideConnection, TestDatabase};
use sea_orm::EntityTrait;

use super::*;

/// So many answers of `/ready` are timed, and the shortest one counts: the machine may be busy.
const READINGS: usize = 10;

#[tokio::test]
async fn a_database_is_far_as_long_as_its_borrower_is_there() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "off".to_owned()));
    project.up().await;

    let borrower = borrow_distance(&project).await;

    for _ in 0..4 {
        assert!(ready_takes(&project).await >= FAR * 2);
    }
    assert!(databases_of_replicas(&project).await.iter().all(|url| !leads_near(url, &database)));
    drop(borrower);
    wait_until("the replicas are as before", async || is_near(&project, &database).await).await;
    assert!(project.answers().await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_wiretap_makes_the_database_far_by_itself_and_no_replica_is_replaced() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "on".to_owned()));
    project.up().await;
    let before = replica_pids(&project.status().await);
    assert!(is_near(&project, &database).await);

    let borrower = borrow_distance(&project).await;

    for _ in 0..4 {
        assert!(ready_takes(&project).await >= FAR * 2);
    }
    assert!(databases_of_replicas(&project).await.iter().all(|url| leads_through_wiretap(url)));
    drop(borrower);
    wait_until("the database is near", async || is_near(&project, &database).await).await;
    assert_eq!(replica_pids(&project.status().await), before);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn variables_are_lent_besides_and_a_restart_changes_neither() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let _borrower = borrow_distance(&project).await;

    let race = ["race", "--strategy=nowait", "--stock=1", "--buyers=2", "--rounds=1", "--window=33"];
    let race = project.run(&race).await;
    assert!(race.success, "{}{}", race.output, race.errors);
    assert!(project.run(&["restart"]).await.success);

    assert!(ready_takes(&project).await >= FAR * 2);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_purchase_in_flight_on_a_far_database_is_answered_by_a_lab_that_stops() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    project.up().await;
    let _borrower = borrow_distance(&project).await;

    side.begin().await;
    side.lock_product(book.id).await;
    let body = serde_json::json!({ "product_id": book.id });
    let order = tokio::spawn(
        reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(project.url("/api/orders"))
            .json(&body)
            .send(),
    );
    wait_until("the purchase waits", async || !side.waiting_statements().await.is_empty()).await;
    let stop = tokio::spawn(project.command(&["down"]).output());
    wait_until("the door is closed", async || project.port_is_free().await).await;
    side.commit().await;

    let answer = order.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(order::Entity::find().all(&database.connection).await.unwrap().len(), 1);
    assert!(stop.await.unwrap().unwrap().status.success());
}

/// Borrows the distance. The borrower gives it back by dropping the connection.
async fn borrow_distance(project: &Project) -> UnixStream {
    let milliseconds = FAR.as_millis() as u32;
    let request = serde_json::to_string(&Request::LendDistance { milliseconds }).unwrap();
    let mut socket = UnixStream::connect(project.path().join(CONTROL_SOCKET)).await.unwrap();
    socket.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    assert_eq!(last_event(&mut socket, |_| {}).await.unwrap(), Some(Event::Done));
    socket
}

async fn ready_takes(project: &Project) -> Duration {
    let asked = std::time::Instant::now();
    assert!(flash_sale_testbed::http::answers_ok(&project.url("/ready")).await);
    asked.elapsed()
}

/// Whether no replica's way to the database leads through a line that makes it far, and no wiretap makes it far either.
pub(super) async fn is_near(project: &Project, database: &TestDatabase) -> bool {
    let urls = databases_of_replicas(project).await;
    let mut shortest = Duration::MAX;
    for _ in 0..READINGS {
        shortest = shortest.min(ready_takes(project).await);
    }
    urls.len() == 2 && urls.iter().all(|url| leads_near(url, database)) && shortest < FAR * 2
}

/// Whether this is the database's own address, or leads through the wiretap.
fn leads_near(url: &str, database: &TestDatabase) -> bool {
    url == database.shop_url || leads_through_wiretap(url)
}

/// Whether this is the address of the wiretap's socket.
pub(super) fn leads_through_wiretap(url: &str) -> bool {
    url.contains("wire&sslmode=disable")
}

/// The `DATABASE_URL` of each replica.
pub(super) async fn databases_of_replicas(project: &Project) -> Vec<String> {
    let url_of = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let text = String::from_utf8(environment).ok()?;
        let url = text.split('\0').find_map(|variable| variable.strip_prefix("DATABASE_URL="))?;
        Some(url.to_owned())
    };
    replica_pids(&project.status().await).into_iter().filter_map(url_of).collect()
}
