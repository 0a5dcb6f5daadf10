//! Selling a copy, and looking at what was sold.

use flash_sale_core::order;
use flash_sale_repositories::{OrderRepository, ProductRepository};
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionSession, TransactionTrait};
use uuid::Uuid;

use crate::error::ServiceError;
use crate::payment::PaymentProvider;

/// The shop's till. Its `database` is the pool of connections, or a transaction that the purchase is part of.
#[derive(Clone)]
pub struct OrderService<D = DatabaseConnection> {
    database: D,
    payment: PaymentProvider,
    served_by: String,
}

impl<D: ConnectionTrait + TransactionTrait> OrderService<D> {
    /// A till of the replica `served_by`, whose name goes on each order.
    pub fn new(database: D, payment: PaymentProvider, served_by: &str) -> Self {
        Self { database, payment, served_by: served_by.to_owned() }
    }

    /// Sells one copy of the product, and returns the order.
    ///
    /// # Errors
    /// [`ServiceError::OutOfStock`] when no copy is left, [`ServiceError::ProductNotFound`],
    /// [`ServiceError::Database`]. Each leaves no order and the stock as it was.
    pub async fn create_order(&self, product_id: Uuid) -> Result<order::Model, ServiceError> {
        let transaction = self.database.begin().await?;
        let products = ProductRepository::new(&transaction);
        let orders = OrderRepository::new(&transaction);

        let Some(product) = products.get_for_purchase(product_id).await? else {
            transaction.rollback().await?;
            return Err(ServiceError::ProductNotFound);
        };
        if product.quantity <= 0 {
            transaction.rollback().await?;
            return Err(ServiceError::OutOfStock);
        }
        self.payment.authorize().await;

        let order = orders.create(product_id, &self.served_by).await?;
        products.decrement_quantity(product_id).await?;
        transaction.commit().await?;
        Ok(order)
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
}
