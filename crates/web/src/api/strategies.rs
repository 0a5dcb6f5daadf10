//! `GET /api/strategies`.

use actix_web::web::Json;
use flash_sale_services::Strategy;
use serde::Serialize;
use utoipa::ToSchema;

/// A way to sell.
#[derive(Serialize, ToSchema)]
pub struct StrategyView {
    /// What `POST /api/orders` takes as `strategy`.
    #[schema(value_type = String, example = "pessimistic")]
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
    (status = 200, body = [StrategyView]),
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
