//! Everything around the till: what the pages and the API show, and starting afresh.

use std::sync::Arc;
use std::time::Duration;

use flash_sale_core::{order, product};
use flash_sale_repositories::{HoldRepository, OrderRepository, ProductRepository, StockRepository};
use sea_orm::{AccessMode, DatabaseConnection, IsolationLevel, TransactionTrait};
use uuid::Uuid;

use crate::begin;
use crate::commit::marking;
use crate::error::ServiceError;
use crate::shared_read::SharedRead;

/// Copies in stock after a reset.
const STOCK_AFTER_RESET: i32 = 1;

/// What a visitor sees.
#[derive(Clone)]
pub struct ShopWindow {
    /// The one book.
    pub product: product::Model,
    /// Its newest orders, newest first.
    pub orders: Arc<[order::Model]>,
    /// How many orders the book has in all.
    pub order_count: u64,
}

/// What a reset did.
pub struct Reset {
    /// Orders that are gone.
    pub deleted_orders: u64,
    /// Copies in stock now.
    pub quantity: i32,
}

/// The shop around the till. Reads that many visitors ask for at the same time are made once for all of them.
#[derive(Clone)]
pub struct ShopService {
    database: DatabaseConnection,
    featured: SharedRead<(), product::Model>,
    products: SharedRead<Uuid, product::Model>,
    windows: SharedRead<u64, ShopWindow>,
}

impl ShopService {
    /// A shop on this database.
    pub fn new(database: DatabaseConnection) -> Self {
        Self {
            database,
            featured: SharedRead::new(),
            products: SharedRead::new(),
            windows: SharedRead::new(),
        }
    }

    /// The book on sale.
    ///
    /// # Errors
    /// [`ServiceError::ProductNotFound`] when the shop is empty, [`ServiceError::Database`].
    pub async fn get_featured_product(&self) -> Result<product::Model, ServiceError> {
        let database = self.database.clone();
        self.featured.get((), move || read_featured(database.clone())).await
    }

    /// The product. Its quantity counts the unsold copies also where each copy is a row of its own, or where the stock
    /// is spread over buckets.
    ///
    /// # Errors
    /// [`ServiceError::ProductNotFound`], [`ServiceError::Database`].
    pub async fn get_product(&self, id: Uuid) -> Result<product::Model, ServiceError> {
        let database = self.database.clone();
        self.products.get(id, move || read_product(database.clone(), id)).await
    }

    /// The book on sale with its newest orders, `order_limit` at most.
    ///
    /// # Errors
    /// As [`Self::get_featured_product`].
    pub async fn get_window(&self, order_limit: u64) -> Result<ShopWindow, ServiceError> {
        let database = self.database.clone();
        self.windows.get(order_limit, move || read_window(database.clone(), order_limit)).await
    }

    /// Up to `limit` orders of all products, newest first: the newest of all, or those older than the
    /// order `before`.
    ///
    /// # Errors
    /// [`ServiceError::OrderNotFound`] when there is no order `before`, [`ServiceError::Database`].
    pub async fn list_orders(
        &self,
        limit: u64,
        before: Option<Uuid>,
    ) -> Result<Vec<order::Model>, ServiceError> {
        let orders = OrderRepository::new(&self.database);
        let Some(before) = before else {
            return Ok(orders.get_newest(limit).await?);
        };
        let order = orders.get_by_id(before).await?.ok_or(ServiceError::OrderNotFound)?;
        Ok(orders.get_older_than(&order, limit).await?)
    }

    /// Puts the book back to one copy in stock and no orders, and forgets every answer that was kept for a key of its
    /// purchases, and every hold on its copies. The shop starts afresh. No key has an order any more that is gone, and a buyer who was told "Out of
    /// stock" may ask again with the same key.
    ///
    /// A purchase in flight keeps its order and its key, or loses both. A refusal in flight changes no stock, so the
    /// reset doesn't wait for it. If it is committed later, it stays the answer of its key.
    ///
    /// # Errors
    /// As [`Self::get_featured_product`]; nothing has changed then.
    pub async fn reset(&self) -> Result<Reset, ServiceError> {
        let transaction = begin::logging("BEGIN", self.database.begin()).await?;
        let products = ProductRepository::new(&transaction);
        let orders = OrderRepository::new(&transaction);

        let Some(product) = products.get_featured().await? else {
            transaction.rollback().await?;
            return Err(ServiceError::ProductNotFound);
        };
        // Stock first. This UPDATE waits for purchases that have changed the stock, and lets the others wait before
        // they change it. So each purchase is wholly before the reset or wholly after it. If it is before, its order
        // and its key are deleted below. If it is after, it takes its copy from the new stock.
        products.set_quantity(product.id, STOCK_AFTER_RESET).await?;
        // Holds before orders. A confirmation that runs now changes no stock. It has its hold's row, so this DELETE waits
        // for it, and the next statement sees its order. A confirmation that comes later finds no hold.
        HoldRepository::new(&transaction).delete_of_product(product.id).await?;
        let deleted_orders = orders.delete_of_product_with_keys(product.id).await?;
        marking(transaction.commit()).await?;
        Ok(Reset { deleted_orders, quantity: STOCK_AFTER_RESET })
    }

    /// Whether the database answers within `limit`.
    pub async fn is_database_ready(&self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.database.ping()).await, Ok(Ok(())))
    }
}

async fn read_featured(database: DatabaseConnection) -> Result<product::Model, ServiceError> {
    ProductRepository::new(&database).get_featured().await?.ok_or(ServiceError::ProductNotFound)
}

async fn read_product(database: DatabaseConnection, id: Uuid) -> Result<product::Model, ServiceError> {
    let product = ProductRepository::new(&database).get_by_id(id).await?;
    let product = product.ok_or(ServiceError::ProductNotFound)?;
    let in_rows = StockRepository::new(&database).get_in_rows(id).await?;
    let quantity = match in_rows.units.or(in_rows.in_buckets) {
        Some(copies) => i32::try_from(copies).unwrap_or(i32::MAX),
        None => product.quantity,
    };
    Ok(product::Model { quantity, ..product })
}

async fn read_window(database: DatabaseConnection, order_limit: u64) -> Result<ShopWindow, ServiceError> {
    // One snapshot for all three reads: a purchase between two of them would show an order without its copy.
    let isolation = Some(IsolationLevel::RepeatableRead);
    let reading = database.begin_with_config(isolation, Some(AccessMode::ReadOnly));
    let transaction = begin::logging("BEGIN", reading).await?;
    let orders = OrderRepository::new(&transaction);

    let product = ProductRepository::new(&transaction).get_featured().await?;
    let product = product.ok_or(ServiceError::ProductNotFound)?;
    let newest = orders.get_newest_of_product(product.id, order_limit).await?;
    let order_count = orders.count_of_product(product.id).await?;
    transaction.commit().await?;
    Ok(ShopWindow { product, orders: newest.into(), order_count })
}
