//! What is logged because of a request can be found again: by the request's id, the replica and the product. Batches
//! are in `strategies/batched.rs`, the deadline in `outcome.rs`, and panics in a process of their own, `tests/log.rs`.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{Answer, Shop, read};

async fn buy(shop: &Shop, strategy: Option<&str>, product: Uuid, request_id: &str) -> Answer {
    let request = shop.request(Method::POST, "/api/orders").header("X-Request-Id", request_id);
    read(request.json(&json!({ "product_id": product, "strategy": strategy }))).await
}

#[tokio::test]
async fn a_failure_of_the_shops_own_is_logged_with_its_request_and_product() {
    let shop = Shop::open().await;
    shop.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a mistake'; END $$",
    )
    .await;
    shop.execute("CREATE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()").await;
    let book = shop.book().await;

    for strategy in [None, Some("pessimistic"), Some("batched")] {
        let id = format!("by-{}", strategy.unwrap_or("exercise"));
        buy(&shop, strategy, book, &id).await.assert_problem(500, "The shop has failed. The log says why");

        let log = shop.replicas[0].log();
        let end = format!("(replica-1, request {id}, product {book})");
        let said = "the database refused a statement: a mistake (SQLSTATE P0001)";
        assert_eq!(
            log.lines().filter(|line| line.contains(said) && line.ends_with(&end)).count(),
            1,
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_wait_over_its_limit_is_logged_with_its_request_and_is_no_outage() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(book).await;

    assert_eq!(buy(&shop, None, book, "the-first").await.status, 503);

    let log = shop.replicas[0].log();
    let end = format!("(replica-1, request the-first, product {book})");
    let said = "told to try again: canceling statement due to lock timeout (SQLSTATE 55P03)";
    assert_eq!(log.lines().filter(|line| line.contains(said) && line.ends_with(&end)).count(), 1, "{log}");
    assert_says_no_outage(&log);
}

/// What a purchase of the learner's own may meet: PostgreSQL's word for it, and what the buyer is told.
#[tokio::test]
async fn a_conflict_or_a_mistake_in_a_statement_is_no_outage_and_has_its_reason_in_the_log() {
    let shop = Shop::open().await;
    let book = shop.book().await;

    for (code, status, detail, level) in [
        ("40001", 503, "Another request was in the way. Try again", "WARN"),
        ("40P01", 503, "Another request was in the way. Try again", "WARN"),
        ("57014", 503, "The database is away or too busy. Try again", "WARN"),
        ("23505", 500, "The shop has failed. The log says why", "ERROR"),
        ("23514", 500, "The shop has failed. The log says why", "ERROR"),
        ("42601", 500, "The shop has failed. The log says why", "ERROR"),
        ("42P01", 500, "The shop has failed. The log says why", "ERROR"),
    ] {
        shop.execute(&format!(
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'made for {code}' USING ERRCODE = '{code}'; END $$;
             CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()"
        ))
        .await;

        for _ in 0..3 {
            buy(&shop, None, book, &format!("by-{code}")).await.assert_problem(status, detail);
        }

        let log = shop.replicas[0].log();
        let said =
            format!("made for {code} (SQLSTATE {code}) (replica-1, request by-{code}, product {book})");
        let lines: Vec<&str> = log.lines().filter(|line| line.ends_with(&said)).collect();
        // A mistake is said each time; of a conflict, which a crowd meets all at once, the first one.
        assert_eq!(lines.len(), if status == 500 { 3 } else { 1 }, "{log}");
        assert!(lines.iter().all(|line| line.contains(level)), "{lines:?}");
    }
    assert_says_no_outage(&shop.replicas[0].log());
}

#[tokio::test]
async fn what_nobody_looks_for_is_logged_only_when_it_fails() {
    let shop = Shop::open_with(1, |settings| {
        settings.variables.push(("RUST_LOG".to_owned(), String::new()));
    })
    .await;
    for path in ["/health", "/ready", "/static/shop.css", "/docs/", "/static/nothing", "/api/products"] {
        shop.get(path).await;
    }

    let log = shop.replicas[0].log();

    let paths: Vec<&str> =
        log.lines().filter_map(|line| line.split("GET ").nth(1)?.split(' ').next()).collect();
    assert_eq!(paths, ["/static/nothing", "/api/products"], "{log}");
}

#[track_caller]
fn assert_says_no_outage(log: &str) {
    assert!(!log.contains("can't do its part") && !log.contains("well again"), "{log}");
}

/// Whoever wants to fill the disk has to send a request for each line of a few hundred bytes.
#[tokio::test]
async fn of_a_long_method_and_a_long_path_the_beginning_is_logged_and_how_long_they_are() {
    let shop = Shop::open().await;
    let before = shop.replicas[0].log().len();
    let methods = ["GET".to_owned(), "M".repeat(60_000)];
    let paths = [
        "/".to_owned(),
        format!("/{}", "p".repeat(60_000)),
        format!("/api/products/{}", "%41".repeat(20_000)),
    ];

    for method in &methods {
        for path in &paths {
            let request = shop.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
            let request = request.header("X-Request-Id", "i".repeat(5_000));
            let request = request.header("Referer", "r".repeat(5_000)).header("Accept", "a".repeat(5_000));
            let answer = read(request).await;
            assert!([200, 404, 405, 422].contains(&answer.status.as_u16()), "{}", answer.body);
        }
    }

    let log = shop.replicas[0].log()[before..].to_owned();
    assert!(log.lines().all(|line| line.len() < 700), "{log}");
    let method = format!(" {}…[60000B] {}…[60001B] 404 ", &methods[1][..200], &paths[1][..200]);
    assert!(log.contains(&method), "{log}");
    assert!(log.contains(&format!("GET {}…[60014B] 422 ", &paths[2][..200])), "{log}");
}

#[tokio::test]
async fn a_line_that_no_request_has_caused_names_none() {
    let shop = Shop::open().await;

    let log = shop.replicas[0].log();

    let line = log.lines().find(|line| line.contains("replica-1 listens on")).expect("it says so");
    assert!(line.ends_with(&shop.replicas[0].port.to_string()), "{line}");
}

#[tokio::test]
async fn each_statement_of_a_request_is_one_line_from_begin_to_commit() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.variables.push(("RUST_LOG".to_owned(), "info,sqlx::query=debug".to_owned()));
    })
    .await;
    let book = shop.book().await;
    let product = shop.product_for("pessimistic", 1).await;
    let log_of = |id: &str| {
        let log = shop.replicas[0].log();
        let end = format!(" (replica-1, request {id}");
        let lines = log.lines().filter_map(|line| line.split_once(" DEBUG] ")?.1.split_once(&end));
        lines.map(|(statement, _)| without_time(statement)).collect::<Vec<_>>()
    };
    let verbs_of = |id: &str| {
        let log = log_of(id);
        log.iter().map(|statement| statement.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(buy(&shop, Some("unlocked"), product, "bought").await.status, 200);
    let log = log_of("bought");
    assert_eq!(verbs_of("bought"), ["BEGIN", "SELECT", "INSERT", "UPDATE", "COMMIT"], "{log:#?}");
    assert!(log[1].starts_with(r#"SELECT "products"."id", … FROM "products" WHERE "#), "{}", log[1]);
    assert!(log[2].starts_with(r#"INSERT INTO "orders" ("product_id", "served_by") VALUES "#), "{}", log[2]);
    assert!(log[2].ends_with(r#" RETURNING "id", … -- 1 row"#), "{}", log[2]);
    assert_eq!(buy(&shop, Some("unlocked"), product, "refused").await.status, 400);
    assert_eq!(verbs_of("refused"), ["BEGIN", "SELECT", "ROLLBACK"]);
    buy(&shop, Some("serializable"), product, "isolated").await;
    let log = log_of("isolated");
    assert_eq!(log[..2], ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"]);

    // The exercise, whatever the learner has made of it; and all that begins a transaction elsewhere.
    buy(&shop, None, book, "exercise").await;
    for (strategy, id) in [
        (None, "kept-by-none"),
        (Some("pessimistic"), "kept-by-strategy"),
        (Some("batched"), "kept-by-batch"),
    ] {
        let request = shop.request(Method::POST, "/api/orders").header("X-Request-Id", id);
        let body = json!({ "product_id": product, "strategy": strategy });
        read(request.header("Idempotency-Key", id).json(&body)).await;
    }
    read(shop.request(Method::POST, "/api/reset").header("X-Request-Id", "reset")).await;
    read(shop.request(Method::GET, "/").header("X-Request-Id", "page")).await;
    for id in ["exercise", "kept-by-none", "kept-by-strategy", "kept-by-batch", "reset", "page"] {
        let log = log_of(id);
        let count = |wanted: &[&str]| {
            let is_wanted = |statement: &&String| wanted.iter().any(|it| statement.starts_with(it));
            log.iter().filter(is_wanted).count()
        };
        assert!(!log.is_empty(), "{id}");
        assert_eq!(
            count(&["BEGIN", "SAVEPOINT"]),
            count(&["COMMIT", "RELEASE", "ROLLBACK"]),
            "{id}: {log:#?}"
        );
        assert_eq!(
            count(&["SAVEPOINT"]),
            usize::from(["kept-by-none", "kept-by-strategy"].contains(&id)),
            "{id}: {log:#?}"
        );
    }
}

/// `COMMIT -- 1.1 ms` → `COMMIT`, and `UPDATE … -- 1 row, 0.5 ms` → `UPDATE … -- 1 row`.
fn without_time(statement: &str) -> String {
    let Some((sql, figures)) = statement.rsplit_once(" -- ") else { return statement.to_owned() };
    match figures.split_once(", ") {
        Some((rows, _)) => format!("{sql} -- {rows}"),
        None => sql.to_owned(),
    }
}
