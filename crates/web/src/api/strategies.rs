//! `GET /api/strategies`.

use actix_web::web::Json;
use flash_sale_services::Strategy;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// A way to sell.
#[derive(Serialize, ToSchema)]
pub struct StrategyView {
    /// What `POST /api/orders` takes as `strategy`.
    #[schema(schema_with = strategy)]
    name: Strategy,
    /// How it sells, in one line.
    description: &'static str,
    /// What somebody gets who was not fast enough.
    loser_gets: &'static str,
    /// Whether it can sell more copies than there are.
    can_oversell: bool,
}

/// The ways to sell.
#[utoipa::path(get, path = "/api/strategies", tag = "orders", operation_id = "list_strategies", responses(
    (status = 200, description = "All of them", body = [StrategyView]),
))]
pub async fn list() -> Json<Vec<StrategyView>> {
    Json(Strategy::ALL.into_iter().map(StrategyView::from).collect())
}

impl From<Strategy> for StrategyView {
    fn from(strategy: Strategy) -> Self {
        Self {
            name: strategy,
            description: strategy.description(),
            loser_gets: strategy.loser_gets(),
            can_oversell: strategy.can_oversell(),
        }
    }
}

/// The names, for the OpenAPI document.
fn strategy() -> Object {
    let builder = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names()));
    builder.examples(["pessimistic"]).build()
}

/// The names, or none of them.
pub fn strategy_or_null() -> Object {
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    let names = names().into_iter().chain([Value::Null]);
    let builder = ObjectBuilder::new().schema_type(nullable).enum_values(Some(names));
    builder
        .description(Some(
            "How to sell it: a name from `GET /api/strategies`. Without one, the shop's own way.",
        ))
        .examples(["pessimistic"])
        .build()
}

fn names() -> Vec<Value> {
    Strategy::ALL.iter().map(|strategy| json!(strategy)).collect()
}
