//! The log says why the database can't be used: each reason once in an outage, in one line.

use std::net::TcpListener;

use flash_sale_testbed::testing::{Pooler, TestDatabase, wait_until};

use crate::Shop;

const OPTIONS: &str = "unsupported startup parameter: options";
const PASSWORD: &str = r#"password authentication failed for user "shop""#;

#[tokio::test]
async fn each_reason_of_an_outage_is_said_once_by_each_replica() {
    let database = TestDatabase::create().await;
    let pooler = Pooler::before(&database.shop_url).await;
    let refuse_options = || pooler.refuse_options("08P01", "unsupported startup parameter:\n\toptions\n");
    refuse_options();
    let shop = Shop::on(database, 2, |settings| {
        settings.database_url = pooler.url.clone();
        // What it logs by default.
        settings.variables.push(("RUST_LOG".to_owned(), String::new()));
    })
    .await;
    let lines = |replica: usize, text: &str| {
        shop.replicas[replica].log().lines().filter(|line| line.contains(text)).count()
    };
    let said_by_both = async |text: &str| {
        wait_until("both say why", async || lines(0, text) > 0 && lines(1, text) > 0).await;
    };
    let meet_it_again = async || {
        let before = pooler.refused();
        for replica in [0, 1, 0, 1] {
            assert_eq!(shop.buy_on(replica, uuid::Uuid::nil()).await.status, 503);
        }
        // By itself each replica looks for the reason, too.
        wait_until("the reason is met again", async || pooler.refused() >= before + 12).await;
    };

    said_by_both(OPTIONS).await;
    meet_it_again().await;
    pooler.refuse_options("28P01", PASSWORD);
    said_by_both(PASSWORD).await;
    meet_it_again().await;
    refuse_options();
    meet_it_again().await;
    pooler.hand_on();
    said_by_both("is well again").await;

    for replica in [0, 1] {
        let log = shop.replicas[replica].log();
        assert_eq!((lines(replica, OPTIONS), lines(replica, PASSWORD)), (1, 1), "{log}");
        assert_eq!(lines(replica, " WARN ") + lines(replica, " ERROR "), 2, "{log}");
    }

    // The next outage has its own reason, though it is the same one.
    refuse_options();
    shop.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = 'replica-1' AND datname = current_database()",
    )
    .await;
    assert_eq!(shop.get("/api/products").await.status, 503);
    wait_until("it is said again", async || lines(0, OPTIONS) == 2).await;
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_said_to_be_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let shop = Shop::open_with(1, |settings| {
        settings.database_url = format!("postgres://nobody:hunter2@{}/nothing", silent.local_addr().unwrap());
    })
    .await;

    let log = || shop.replicas[0].log();
    wait_until("it says so", async || log().contains("are told to try again: no answer in 3 s")).await;
    assert!(!log().contains("hunter2"));
}
