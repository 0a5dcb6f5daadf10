//! What every other crate stands on: the entities, the way to connect, the environment.
//! Start with [`product`] and [`order`].
//!
//! # The code, in the order in which to read it
//!
//! This page is the front page of all crates. It follows one purchase from the row in the database to the URL, and then
//! goes on to what stands around the shop. `ARCHITECTURE.md` has the same as a map, with the decisions.
//!
//! 1. [`product`] and [`order`] are the rows: a book with a stock, and the order of a copy.
//! 2. [`ProductRepository`](../flash_sale_repositories/struct.ProductRepository.html) and
//!    [`OrderRepository`](../flash_sale_repositories/struct.OrderRepository.html) send the queries, one a method.
//! 3. [`OrderService::create_order`](../flash_sale_services/struct.OrderService.html#method.create_order) is the
//!    exercise: the transaction that sells a copy.
//! 4. [`ServiceError`](../flash_sale_services/enum.ServiceError.html) has everything that a buyer can be told instead.
//! 5. [`routes`](../flash_sale_web/routes/index.html) has every URL. From there, each file of a page or an endpoint
//!    calls one service.
//! 6. [`server`](../flash_sale_web/server/index.html) runs all of that as one replica, with the settings of
//!    [`settings`](../flash_sale_web/settings/index.html) and the waits of [`limits`].
//! 7. [`strategies`](../flash_sale_services/strategies/index.html) are other ways to sell, a short file each, and
//!    [`idempotency`](../flash_sale_services/idempotency/index.html) makes a purchase once, however often it is asked
//!    for.
//! 8. [`flash_sale_migration`](../flash_sale_migration/index.html) makes the tables, and gives the shop's role its
//!    rights.
//! 9. [`flash_sale_http_guard`](../flash_sale_http_guard/index.html) is what a server owes the browsers that visit it.
//! 10. [`flash_sale_lab`](../flash_sale_lab/index.html) has the instruments: it starts the shop on one machine, judges
//!     it, races it, and breaks it. The shop knows nothing of the lab.

pub mod allowed_hosts;
pub mod database;
pub mod database_error;
pub mod database_reason;
pub mod database_url;
pub mod dotenv;
pub mod environment;
pub mod limits;
pub mod order;
pub mod product;
mod released_connection;
pub mod secret;
