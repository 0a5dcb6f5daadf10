//! The harness itself: a database of one's own, a look at who waits, and a browser that does not start.

use flash_sale_core::product;
use flash_sale_testbed::testing::browser::Chromium;
use flash_sale_testbed::testing::{SideConnection, TestDatabase, wait_until, write_program};
use sea_orm::{ConnectionTrait, EntityTrait, TransactionTrait};

#[tokio::test]
async fn a_test_database_holds_the_one_book() {
    let database = TestDatabase::create().await;

    let products = product::Entity::find().all(&database.connection).await.unwrap();

    assert_eq!(products.len(), 1);
    assert_eq!(products[0].quantity, 1);
}

#[tokio::test]
async fn two_test_databases_share_nothing() {
    let (one, other) = tokio::join!(TestDatabase::create(), TestDatabase::create());

    one.connection.execute_unprepared("DELETE FROM products").await.unwrap();

    let left = product::Entity::find().all(&other.connection).await.unwrap();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn an_empty_test_database_has_no_tables() {
    let database = TestDatabase::create_empty().await;

    assert!(product::Entity::find().all(&database.connection).await.is_err());
}

#[tokio::test]
async fn a_side_connection_sees_who_waits_for_its_lock() {
    let database = TestDatabase::create().await;
    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.lock_product(book.id).await;
    assert!(side.waiting_statements().await.is_empty());

    let connection = database.connection.clone();
    let update = tokio::spawn(async move {
        let transaction = connection.begin().await.unwrap();
        transaction.execute_unprepared("UPDATE products SET quantity = 0").await.unwrap();
        transaction.commit().await.unwrap();
    });

    wait_until("the update waits", async || side.waiting_statements().await.len() == 1).await;
    assert!(side.waiting_statements().await[0].starts_with("UPDATE products"));
    side.commit().await;
    update.await.unwrap();
    assert!(side.waiting_statements().await.is_empty());
}

#[tokio::test]
#[should_panic(expected = "/chromium has ended. It said:\nno display\n")]
async fn a_chromium_that_does_not_start_is_named_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("chromium");
    write_program(&program, "#!/bin/sh\necho no display >&2\n");

    Chromium::start_program(&program).await;
}
