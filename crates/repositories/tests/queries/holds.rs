//! The queries of `reservation`: copies that are held, confirmed and given back.

use std::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn hold(product_id: Uuid, key: Option<&str>, lasts: Duration) -> NewHold<'_> {
    NewHold { id: Uuid::new_v4(), product_id, key, lasts }
}

async fn quantity(database: &TestDatabase, id: Uuid) -> i32 {
    ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap().quantity
}

#[tokio::test]
async fn a_hold_takes_a_copy_only_when_one_is_there_and_becomes_one_order() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let holds = HoldRepository::new(&database.connection);
    let first = hold(id, None, HOUR);

    assert!(holds.take_copy(first).await.unwrap());
    assert!(!holds.take_copy(hold(id, None, HOUR)).await.unwrap(), "there was one copy");
    assert!(!holds.take_copy(hold(Uuid::nil(), None, HOUR)).await.unwrap(), "there is no such product");
    let stock = holds.get_held_stock(id).await.unwrap();
    assert_eq!(stock, Some(HeldStock { quantity: 0, held: 1 }));
    assert_eq!(holds.get_held_stock(Uuid::nil()).await.unwrap(), None);

    let order = holds.confirm(first.id, "replica-2").await.unwrap().unwrap();
    assert_eq!((order.product_id, order.served_by.as_str()), (id, "replica-2"));
    assert_eq!(holds.confirm(first.id, "replica-2").await.unwrap(), None, "once");
    let stock = holds.get_held_stock(id).await.unwrap();
    assert_eq!(stock, Some(HeldStock { quantity: 0, held: 0 }));
    assert_eq!(OrderRepository::new(&database.connection).count_of_product(id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_hold_is_committed_without_waiting_for_the_disk_and_an_order_is_not() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    // The tests' server waits for no disk at all.
    let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database()); END $$";
    database.connection.execute_unprepared(sql).await.unwrap();
    let connection = connect_again(&database).await;
    let setting = async |transaction: &sea_orm::DatabaseTransaction| {
        let row = transaction.query_one_raw(statement("SHOW synchronous_commit")).await.unwrap().unwrap();
        row.try_get_by_index::<String>(0).unwrap()
    };
    let hold = hold(id, None, HOUR);

    let first = connection.begin().await.unwrap();
    assert_eq!(setting(&first).await, "on");
    assert!(HoldRepository::new(&first).take_copy(hold).await.unwrap());
    assert_eq!(setting(&first).await, "off");
    first.commit().await.unwrap();

    let second = connection.begin().await.unwrap();
    assert!(HoldRepository::new(&second).confirm(hold.id, "replica-1").await.unwrap().is_some());
    assert_eq!(setting(&second).await, "on");
}

#[tokio::test]
async fn a_hold_that_has_lapsed_is_not_confirmed_and_is_deleted_once() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let (stock, holds) =
        (StockRepository::new(&database.connection), HoldRepository::new(&database.connection));
    stock.give_back(id, 4).await.unwrap();
    let (lapsed, living) = (hold(id, None, Duration::ZERO), hold(id, None, HOUR));
    for hold in [lapsed, hold(id, None, Duration::ZERO), hold(id, None, Duration::ZERO), living] {
        assert!(holds.take_copy(hold).await.unwrap());
    }

    assert_eq!(holds.confirm(lapsed.id, "replica-1").await.unwrap(), None);
    assert_eq!(holds.get_products_with_lapsed().await.unwrap(), [id]);
    assert_eq!(holds.delete_lapsed(id, 2).await.unwrap(), 2);
    assert_eq!(holds.delete_lapsed(id, 2).await.unwrap(), 1);
    assert_eq!(holds.delete_lapsed(id, 2).await.unwrap(), 0, "one lives");
    assert!(holds.get_products_with_lapsed().await.unwrap().is_empty());
    assert!(holds.delete(living.id).await.unwrap() && !holds.delete(living.id).await.unwrap());
    assert_eq!(quantity(&database, id).await, 1, "the caller gives copies back");
}

#[tokio::test]
async fn a_key_holds_one_copy_at_a_time() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let holds = HoldRepository::new(&database.connection);
    StockRepository::new(&database.connection).give_back(id, 4).await.unwrap();
    let first = hold(id, Some("one"), HOUR);

    assert!(!holds.has_key("one").await.unwrap());
    assert!(holds.take_copy(first).await.unwrap());
    assert!(holds.has_key("one").await.unwrap() && !holds.has_key("two").await.unwrap());
    let second = holds.take_copy(hold(id, Some("one"), HOUR)).await;
    assert!(second.unwrap_err().to_string().contains("holds_key_key"));
    assert_eq!(quantity(&database, id).await, 4, "the refused statement took nothing");

    holds.delete_of_product(id).await.unwrap();
    assert!(holds.take_copy(hold(id, Some("one"), HOUR)).await.unwrap());
}

#[tokio::test]
async fn a_product_whose_row_somebody_has_is_not_locked_and_a_hold_that_somebody_has_is_passed_by() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let (stock, holds) =
        (StockRepository::new(&database.connection), HoldRepository::new(&database.connection));
    let lapsed = hold(id, None, Duration::ZERO);
    assert!(holds.take_copy(lapsed).await.unwrap());
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.lock_product(id).await;
    side.execute("SELECT FROM holds FOR UPDATE").await;

    assert!(!stock.lock_if_free(id).await.unwrap());
    assert_eq!(holds.delete_lapsed(id, 1).await.unwrap(), 0);
    side.commit().await;

    assert!(stock.lock_if_free(id).await.unwrap());
    assert_eq!(holds.delete_lapsed(id, 1).await.unwrap(), 1);
}
