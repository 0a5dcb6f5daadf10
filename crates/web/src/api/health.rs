//! `GET /health`: does the process live? `GET /ready`: can it sell?

use actix_web::web::{Data, Json, ReqData};
use flash_sale_core::limits::READY_TIMEOUT;
use flash_sale_services::ShopService;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::replica_name::ReplicaName;

/// A replica about itself.
#[derive(Serialize, ToSchema)]
pub struct HealthView {
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(example = "replica-1")]
    service: String,
}

/// Whether this process lives. Never asks the database.
#[utoipa::path(get, path = "/health", tag = "operation", responses(
    (status = 200, description = "It lives", body = HealthView),
))]
pub async fn get_health(replica: ReqData<ReplicaName>) -> Json<HealthView> {
    Json(HealthView { status: "healthy", service: replica.into_inner().0 })
}

/// Whether this replica can sell: the database answers within a second.
#[utoipa::path(get, path = "/ready", tag = "operation", responses(
    (status = 200, description = "It can sell", body = HealthView),
))]
pub async fn get_ready(
    shop: Data<ShopService>,
    replica: ReqData<ReplicaName>,
) -> Result<Json<HealthView>, Problem> {
    if !shop.is_database_ready(READY_TIMEOUT).await {
        return Err(Problem::unavailable("The database does not answer"));
    }
    Ok(Json(HealthView { status: "ready", service: replica.into_inner().0 }))
}
