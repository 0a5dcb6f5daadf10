//! The schema up and down, by one process and by several at once.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::process::Stdio;

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use flash_sale_migration::{Migrator, migrate, migrate_down};
use flash_sale_testbed::testing::TestDatabase;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TryGetable};
use sea_orm_migration::MigratorTrait;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

const TABLES: &str = "SELECT coalesce(string_agg(tablename, ' ' ORDER BY tablename), '') FROM pg_tables
                      WHERE schemaname = 'public'";

#[tokio::test]
async fn up_down_and_up_again_ends_with_one_copy_on_sale() {
    let database = TestDatabase::create_empty().await;

    migrate(&database.url).await.unwrap();
    migrate_down(&database.url).await.unwrap();
    assert_eq!(one::<String>(&database, TABLES).await, "seaql_migrations");

    migrate(&database.url).await.unwrap();
    assert_eq!(
        one::<String>(&database, TABLES).await,
        "holds idempotency_keys orders products seaql_migrations stock_buckets units"
    );
    assert_eq!(one::<i64>(&database, "SELECT sum(quantity) FROM products").await, 1);
}

/// Without the table, nobody would know of the copies that are held.
#[tokio::test]
async fn going_down_gives_held_copies_back() {
    let database = TestDatabase::create().await;
    let hold = "INSERT INTO holds (id, product_id, expires_at)
                SELECT gen_random_uuid(), id, now() FROM products, generate_series(1, 3)";
    database.connection.execute_unprepared(hold).await.unwrap();

    Migrator::down(&database.connection, Some(2)).await.unwrap();

    assert_eq!(one::<i32>(&database, "SELECT quantity FROM products").await, 4);
}

#[tokio::test]
async fn a_stock_is_spread_evenly_and_again_after_more_copies_came_and_going_down_gives_them_back() {
    let database = TestDatabase::create().await;
    let run = async |sql: &str| database.connection.execute_unprepared(sql).await.unwrap();
    let buckets = "SELECT string_agg(quantity::text, ' ' ORDER BY number) FROM stock_buckets";

    run("UPDATE products SET quantity = 10").await;
    run("SELECT spread_stock(id, 4) FROM products").await;
    assert_eq!(one::<String>(&database, buckets).await, "3 3 2 2");
    assert_eq!(one::<i32>(&database, "SELECT quantity FROM products").await, 0);

    run("UPDATE products SET quantity = 3").await;
    run("SELECT spread_stock(id, 0) FROM products").await;
    assert_eq!(one::<i32>(&database, "SELECT quantity FROM products").await, 3, "no bucket takes a copy");
    run("SELECT spread_stock(id, 2) FROM products").await;
    assert_eq!(one::<String>(&database, buckets).await, "5 4 2 2");

    Migrator::down(&database.connection, Some(1)).await.unwrap();
    assert_eq!(one::<i32>(&database, "SELECT quantity FROM products").await, 13);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = TestDatabase::create_empty().await;
    migrate(&database.url).await.unwrap();
    database.connection.execute_unprepared("UPDATE products SET quantity = 7").await.unwrap();

    migrate(&database.url).await.unwrap();

    assert_eq!(one::<i64>(&database, "SELECT sum(quantity) FROM products").await, 7);
}

#[tokio::test]
async fn four_processes_at_once_make_one_schema() {
    let database = TestDatabase::create_empty().await;
    let start = || {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_migrate"))
            .env_clear()
            .envs([("DATABASE_URL", &database.shop_url), ("MIGRATION_DATABASE_URL", &database.url)])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let processes = [start(), start(), start(), start()];

    for process in processes {
        let output = process.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM products").await, 1);
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM seaql_migrations").await, 8);
}

#[tokio::test]
async fn nobody_has_to_read_what_it_says() {
    let database = TestDatabase::create_empty().await;
    let unread = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for (url, code) in [(&*database.url, 0), ("postgres://nobody@127.0.0.1:none/", 1)] {
        let mut migrate = tokio::process::Command::new(env!("CARGO_BIN_EXE_migrate"));
        migrate.env_clear().env("DATABASE_URL", url).stdout(unread()).stderr(unread());
        assert_eq!(migrate.status().await.unwrap().code(), Some(code), "{url}");
    }
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM products").await, 1);
}

#[tokio::test]
async fn a_database_that_is_not_up_yet_is_waited_for() {
    let database = TestDatabase::create_empty().await;
    let postgres = database.url.split(['@', '/']).nth(3).unwrap();
    // Taken, and refused: nobody listens there yet.
    let door = TcpSocket::new_v4().unwrap();
    door.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = database.url.replace(postgres, &door.local_addr().unwrap().to_string());
    let mut migrate = tokio::process::Command::new(env!("CARGO_BIN_EXE_migrate"))
        .env_clear()
        .env("DATABASE_URL", url)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();

    let mut log = BufReader::new(migrate.stderr.take().unwrap()).lines();
    let line = log.next_line().await.unwrap().unwrap();
    let said = "waiting for the database of DATABASE_URL: Connection refused (os error 111)…";
    assert!(line.ends_with(said), "{line}");
    let door = door.listen(16).unwrap();
    let address = postgres.to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = door.accept().await {
            let mut server = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });

    assert!(migrate.wait().await.unwrap().success());
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM products").await, 1);
}

#[tokio::test]
async fn the_exercise_can_oversell_the_schema_does_not_forbid_it() {
    let database = TestDatabase::create().await;

    database.connection.execute_unprepared("UPDATE products SET quantity = -1").await.unwrap();
}

#[tokio::test]
async fn orders_go_with_their_product_and_need_one() {
    let database = TestDatabase::create().await;
    let buy = "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products";
    database.connection.execute_unprepared(buy).await.unwrap();

    database.connection.execute_unprepared("DELETE FROM products").await.unwrap();

    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM orders").await, 0);
    let orphan = "INSERT INTO orders (product_id, served_by) VALUES (gen_random_uuid(), 'replica-1')";
    assert!(database.connection.execute_unprepared(orphan).await.is_err());
}

#[tokio::test]
async fn a_product_that_opts_in_can_not_be_oversold() {
    let database = TestDatabase::create().await;
    let opt_in = "UPDATE products SET refuses_oversell = true, quantity = 0";
    database.connection.execute_unprepared(opt_in).await.unwrap();

    let oversell = database.connection.execute_unprepared("UPDATE products SET quantity = -1").await;

    assert_eq!(kind(&oversell.unwrap_err()), DatabaseErrorKind::CheckViolation);
}

#[tokio::test]
async fn an_order_takes_one_unit_and_gives_it_back_when_it_is_deleted() {
    let database = TestDatabase::create().await;
    for sql in [
        "INSERT INTO units (product_id) SELECT id FROM products, generate_series(1, 2)",
        "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products",
        "UPDATE units SET order_id = (SELECT id FROM orders) WHERE id = (SELECT min(id) FROM units)",
    ] {
        database.connection.execute_unprepared(sql).await.unwrap();
    }

    let both = "UPDATE units SET order_id = (SELECT id FROM orders)";
    assert!(database.connection.execute_unprepared(both).await.is_err());
    database.connection.execute_unprepared("DELETE FROM orders").await.unwrap();
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM units WHERE order_id IS NULL").await, 2);

    database.connection.execute_unprepared("DELETE FROM products").await.unwrap();
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM units").await, 0);
}

#[tokio::test]
async fn a_key_is_tied_to_its_product_also_when_its_record_is_older_or_an_older_replicas() {
    let database = TestDatabase::create_empty().await;
    let record = |key: &str, request: &str| {
        format!(
            "INSERT INTO idempotency_keys (key, request, status, body) VALUES ('{key}', '{request}', 200, '{{}}')"
        )
    };
    let (product, other) = ("0e8f6a5e-0000-4000-8000-000000000001", "0e8f6a5e-0000-4000-8000-000000000002");
    Migrator::up(&database.connection, Some(4)).await.unwrap();
    for sql in
        [record("before", &format!("{product} Some(Batched)")), record("other", &format!("{other} None"))]
    {
        database.connection.execute_unprepared(&sql).await.unwrap();
    }

    Migrator::up(&database.connection, Some(1)).await.unwrap();
    for sql in [record("after", product), record("old replica", &format!("{product} None"))] {
        database.connection.execute_unprepared(&sql).await.unwrap();
    }

    let keys_of = |product| {
        format!(
            "SELECT string_agg(key, ', ' ORDER BY key) FROM idempotency_keys WHERE product_id = '{product}'"
        )
    };
    assert_eq!(one::<String>(&database, &keys_of(product)).await, "after, before, old replica");
    assert_eq!(one::<String>(&database, &keys_of(other)).await, "other");

    Migrator::down(&database.connection, Some(1)).await.unwrap();
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM idempotency_keys").await, 4);
    assert!(database.connection.execute_unprepared("SELECT product_id FROM idempotency_keys").await.is_err());
}

async fn one<T: TryGetable>(database: &TestDatabase, sql: &str) -> T {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    database.connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
