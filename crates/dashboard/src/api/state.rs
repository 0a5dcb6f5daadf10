//! `GET /api/state`: the shop at this moment, for scripts.

use actix_web::web::{Data, Json};

use crate::problem::Problem;
use crate::shop_state::ShopState;
use crate::state_watch::StateWatch;

/// The shop at this moment. It is asked at most once a second.
#[utoipa::path(get, path = "/api/state", tag = "state", operation_id = "get_state", responses(
    (status = 200, description = "The state. Without its database, `database` is null, and `database_away` says why",
        body = ShopState),
    (status = 400, description = "The request doesn't say clearly for which host it is", body = Problem,
        content_type = "application/problem+json"),
    (status = 405, description = "Another method than GET or HEAD", body = Problem,
        content_type = "application/problem+json"),
    (status = 421, description = "The dashboard is not the host that was asked for", body = Problem,
        content_type = "application/problem+json"),
))]
pub async fn get(watch: Data<StateWatch>) -> Json<ShopState> {
    Json(ShopState::clone(&*watch.state().await))
}
