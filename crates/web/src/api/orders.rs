//! `POST /api/orders` and `GET /api/orders`.

use actix_web::web::{Data, Json};
use flash_sale_services::{OrderService, ServiceError, Strategy, StrategyService};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::json_body::JsonBody;
use crate::problem::Problem;
use crate::query_string::QueryString;
use crate::view::OrderView;

/// The orders on a page when the client doesn't say, and the most it gets when it does.
const LONGEST_PAGE: u64 = 1000;

/// What to buy. Always one copy.
#[derive(Deserialize, ToSchema)]
pub struct OrderRequest {
    product_id: Uuid,
    /// How to sell it: a name from `GET /api/strategies`. Without one, the shop's own way.
    #[schema(value_type = Option<String>, example = "pessimistic")]
    strategy: Option<Strategy>,
}

/// Which orders to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderPage {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Only orders older than the one with this id: the last one of the previous page.
    before: Option<Uuid>,
}

/// Buys one copy.
#[utoipa::path(post, path = "/api/orders", tag = "orders", operation_id = "create_order",
    request_body = OrderRequest, responses(
    (status = 200, description = "Sold", body = OrderView),
    (status = 400, description = "Out of stock", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Other buyers were faster", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Over 64 KiB", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Not an order", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database is away or too busy", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    orders: Data<OrderService>,
    strategies: Data<StrategyService>,
    JsonBody(request): JsonBody<OrderRequest>,
) -> Result<Json<OrderView>, Problem> {
    let order = match request.strategy {
        None => orders.create_order(request.product_id).await?,
        Some(strategy) => strategies.create_order(strategy, request.product_id).await?,
    };
    Ok(Json(order.into()))
}

/// The orders, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "orders", operation_id = "list_orders", params(OrderPage), responses(
    (status = 200, body = [OrderView]),
    (status = 422, description = "A parameter that can't be used", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    orders: Data<OrderService>,
    QueryString(page): QueryString<OrderPage>,
) -> Result<Json<Vec<OrderView>>, Problem> {
    let limit = page.limit.unwrap_or(LONGEST_PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Problem::unprocessable(&["query", "limit"], "expected a whole number from 1 to 1000"));
    }
    match orders.list_orders(limit, page.before).await {
        Ok(orders) => Ok(Json(orders.into_iter().map(OrderView::from).collect())),
        Err(ServiceError::OrderNotFound) => {
            Err(Problem::unprocessable(&["query", "before"], "there is no order with this id"))
        }
        Err(error) => Err(error.into()),
    }
}
