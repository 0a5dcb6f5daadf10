//! The queries of the strategies: decrements with a condition, whole sales in one statement, units.

use super::*;

#[tokio::test]
async fn guarded_decrements_take_a_copy_only_when_their_condition_holds() {
    let database = TestDatabase::create().await;
    let stock = StockRepository::new(&database.connection);
    let id = book(&database.connection).await;

    assert!(!stock.take_copy_if_unchanged(id, 1).await.unwrap());
    assert!(stock.take_copy_if_unchanged(id, 0).await.unwrap());
    assert!(!stock.take_copy_if_unchanged(id, 0).await.unwrap(), "each change counts the version up");
    assert!(!stock.take_copy_if_in_stock(id).await.unwrap(), "there was one copy");
    assert_eq!(stock.sell_copy(id, "replica-1").await.unwrap(), None);
    stock.take_copy(id).await.unwrap();

    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (-1, 2));
    assert_eq!(OrderRepository::new(&database.connection).count_of_product(id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_sale_in_one_statement_is_decrement_and_order() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;

    let sold = StockRepository::new(&database.connection).sell_copy(id, "replica-2").await.unwrap().unwrap();

    assert_eq!((sold.product_id, sold.served_by.as_str()), (id, "replica-2"));
    let stored = OrderRepository::new(&database.connection).get_by_id(sold.id).await.unwrap();
    assert_eq!(stored, Some(sold));
    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (0, 1));
}

#[tokio::test]
async fn a_batch_sells_to_the_first_as_many_as_there_are() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let stock = StockRepository::new(&database.connection);
    ProductRepository::new(&database.connection).set_quantity(id, 3).await.unwrap();
    let buyers: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();

    let mut sold = stock.sell_copies(id, &buyers, "replica-1").await.unwrap().unwrap();
    let nothing = stock.sell_copies(id, &[Uuid::new_v4()], "replica-1").await.unwrap();
    let unknown = stock.sell_copies(Uuid::nil(), &[Uuid::new_v4()], "replica-1").await.unwrap();

    sold.sort_by_key(|order| buyers.iter().position(|id| *id == order.id));
    let winners: Vec<Uuid> = sold.iter().map(|order| order.id).collect();
    assert_eq!(winners, buyers[..3]);
    assert_eq!((nothing, unknown), (Some(Vec::new()), None));
    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (0, 1));
}

#[tokio::test]
async fn a_unit_that_is_held_is_passed_by_and_still_counts_as_unsold() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let units = "INSERT INTO units (product_id) SELECT id FROM products, generate_series(1, 2)";
    database.connection.execute_unprepared(units).await.unwrap();
    let order = OrderRepository::new(&database.connection).create(id, "replica-1").await.unwrap();
    let first = database.connection.begin().await.unwrap();
    let second = database.connection.begin().await.unwrap();
    let third = database.connection.begin().await.unwrap();

    let unit = UnitRepository::new(&first).claim_unsold(id).await.unwrap().unwrap();
    let other = UnitRepository::new(&second).claim_unsold(id).await.unwrap().unwrap();
    assert_ne!(unit, other);
    assert_eq!(UnitRepository::new(&third).claim_unsold(id).await.unwrap(), None);
    UnitRepository::new(&first).set_order(unit, order.id).await.unwrap();
    first.commit().await.unwrap();

    let count = UnitRepository::new(&third).count_of_product(id).await.unwrap();
    assert_eq!((count.total, count.unsold), (2, 1));
}
