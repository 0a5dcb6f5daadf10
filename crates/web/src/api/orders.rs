//! `POST /api/orders` and `GET /api/orders`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Json};
use flash_sale_core::order;
use flash_sale_services::idempotency::{Settled, WrittenAnswer};
use flash_sale_services::log_context::LogContext;
use flash_sale_services::{OrderService, ServiceError, ShopService, Strategy, StrategyService};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::strategies::strategy_or_null;
use crate::idempotency_key::KeyHeader;
use crate::json_body::JsonBody;
use crate::middleware::{KeptAnswer, PROBLEM_JSON};
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
    #[schema(schema_with = strategy_or_null, required = false)]
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

/// Buys one copy. With a key, once for each key.
#[utoipa::path(post, path = "/api/orders", tag = "orders", operation_id = "create_order",
    params(("Idempotency-Key" = Option<String>, Header, pattern = r#"^("([ !#-\[\]-~]|\\["\\]){1,255}"|[A-Za-z0-9!#$%&'*+.^_`|~:/-]{1,255})$"#,
        description = "A string of 1 to 255 characters, in quotes or bare. The same key gets the same answer again for 24 hours, with `Idempotency-Replayed: true`, unless the product is reset meanwhile. \
            Of the answers \"Out of stock\", only the newest 50,000 are kept; no other refusal uses the key up. \
            Make up a new random key for each purchase, such as a UUID of version 4: nobody must be able to guess it, \
            because the shop knows its buyers by nothing else. The first request with a key uses the key up. Each \
            later request gets the answer of the first")),
    request_body = OrderRequest, responses(
    (status = 200, description = "Sold", body = OrderView),
    (status = 400, description = "Out of stock, or a key that can't be read"),
    (status = 402, description = "The payment was declined, and nothing was sold (only `reservation`, and only with PAYMENT_FAILS_PERCENT)"),
    (status = 404, description = "No such product"),
    (status = 409, description = "Other buyers were faster or hold the last copies, the hold on the buyer's own copy has lapsed, or the key's first request is being worked on"),
    (status = 415, description = "Not JSON"),
    (status = 422, description = "Not an order, a strategy that can't sell this product, or a key that was used for another order"),
))]
pub async fn create(
    orders: Data<OrderService>,
    strategies: Data<StrategyService>,
    KeyHeader(key): KeyHeader,
    JsonBody(request): JsonBody<OrderRequest>,
) -> Result<HttpResponse, Problem> {
    let OrderRequest { product_id, strategy } = request;
    LogContext::current().set_product(product_id);
    if let Some(key) = key {
        return Ok(send(strategies.sell_once(key, strategy, product_id, write).await?));
    }
    let order = match strategy {
        None => orders.create_order(product_id).await?,
        Some(strategy) => strategies.sell(strategy, product_id).await?,
    };
    Ok(HttpResponse::Ok().json(OrderView::from(order)))
}

/// Writes an answer that is kept for its key.
fn write(outcome: Result<&order::Model, &ServiceError>) -> WrittenAnswer {
    match outcome {
        Ok(order) => {
            let body = serde_json::to_string(&OrderView::from(order.clone()));
            WrittenAnswer { status: 200, body: body.expect("an order always becomes JSON") }
        }
        Err(error) => {
            let problem = Problem::from(error.clone());
            WrittenAnswer { status: problem.status, body: problem.to_json() }
        }
    }
}

/// Sends it, now or again.
fn send(settled: Settled) -> HttpResponse {
    let status = StatusCode::from_u16(settled.answer.status).expect("`write` has made it");
    let content_type = if status.is_success() { "application/json" } else { PROBLEM_JSON };
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, content_type));
    if settled.is_replay {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    let mut response = response.body(settled.answer.body);
    response.extensions_mut().insert(KeptAnswer);
    response
}

/// The orders, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "orders", operation_id = "list_orders", params(OrderPage), responses(
    (status = 200, description = "At most 1000 of them", body = [OrderView]),
    (status = 422, description = "A limit out of range, or the id of no order"),
))]
pub async fn list(
    shop: Data<ShopService>,
    QueryString(page): QueryString<OrderPage>,
) -> Result<Json<Vec<OrderView>>, Problem> {
    let limit = page.limit.unwrap_or(LONGEST_PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Problem::unprocessable(&["query", "limit"], "expected a whole number from 1 to 1000"));
    }
    match shop.list_orders(limit, page.before).await {
        Ok(orders) => Ok(Json(orders.into_iter().map(OrderView::from).collect())),
        Err(ServiceError::OrderNotFound) => {
            Err(Problem::unprocessable(&["query", "before"], "there is no order with this id"))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use flash_sale_services::Strategy as SaleStrategy;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{OrderRequest, Uuid};
    use crate::json_body::parse;

    proptest! {
        #[test]
        fn an_order_is_read_however_its_id_is_written_and_whatever_else_it_holds(
            id in any::<u128>().prop_map(Uuid::from_u128),
            writing in 0..4_usize,
            strategy in prop::option::of(prop::sample::select(SaleStrategy::ALL.to_vec())),
            name in "[a-z]{1,8}",
            text in any::<String>(),
        ) {
            let written = [
                id.to_string(),
                id.simple().to_string(),
                id.to_string().to_uppercase(),
                id.simple().to_string().to_uppercase(),
            ];
            let body = json!({ name: text, "product_id": written[writing], "strategy": strategy });

            let order: OrderRequest = parse(body.to_string().as_bytes()).unwrap();

            prop_assert_eq!((order.product_id, order.strategy), (id, strategy));
        }

        #[test]
        fn any_bytes_are_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let refused = parse::<OrderRequest>(&body).err().map(|problem| (problem.status, problem.errors.len()));
            prop_assert_eq!(refused, Some((422, 1)));
        }

        /// Of an order's own bytes, some are changed: it is the order that any other reader of JSON sees, or none.
        #[test]
        fn a_damaged_order_is_what_it_says_or_refused(
            id in any::<u128>().prop_map(Uuid::from_u128),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut body = json!({ "product_id": id, "strategy": "nowait" }).to_string().into_bytes();
            for (place, byte) in damage {
                let place = place.index(body.len());
                body[place] = byte;
            }

            match parse::<OrderRequest>(&body) {
                Ok(order) => {
                    let value: Value = serde_json::from_slice(&body).unwrap();
                    let seen = value["product_id"].as_str().and_then(|text| text.parse().ok());
                    prop_assert_eq!(Some(order.product_id), seen);
                    prop_assert_eq!(json!(order.strategy), value["strategy"].clone());
                }
                Err(problem) => prop_assert_eq!(problem.status, 422),
            }
        }
    }
}
