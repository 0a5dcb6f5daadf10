//! Selling a copy.

use flash_sale_core::order;
use flash_sale_repositories::{OrderRepository, ProductRepository};
use uuid::Uuid;

use crate::error::ServiceError;
use crate::payment::PaymentProvider;
use crate::till_database::TillDatabase;

/// The shop's till (its cash register), which sells copies.
#[derive(Clone)]
pub struct OrderService {
    database: TillDatabase,
    payment: PaymentProvider,
    served_by: String,
}

impl OrderService {
    /// A till of the replica `served_by`, whose name goes on each order.
    pub fn new(database: TillDatabase, payment: PaymentProvider, served_by: &str) -> Self {
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
}
