//! Every URL of the shop: its table of contents.

use std::path::Path;

use actix_files::Files;
use actix_web::web::{self, ServiceConfig};
use flash_sale_core::limits::BUY_DEADLINE;

use crate::endpoint::at;
use crate::problem::Problem;
use crate::{api, openapi, pages};

/// Adds all routes. The files in `static_dir` appear under `/static`.
pub fn configure(config: &mut ServiceConfig, static_dir: &Path) {
    config
        .app_data(web::PathConfig::default().error_handler(|error, _| Problem::in_path(&error).into()))
        // Pages and their forms
        .service(at("/").get(pages::shop::show))
        .service(at("/buy").post(pages::buy::submit).within(BUY_DEADLINE))
        .service(at("/reset").post(pages::reset::submit))
        .service(at("/docs").get(pages::docs::redirect))
        .service(at("/docs/{file:.*}").get(pages::docs::show))
        .service(Files::new("/static", static_dir))
        // JSON
        .service(at("/api/products").get(api::products::get_featured))
        .service(at("/api/products/{id}").get(api::products::get_by_id))
        .service(at("/api/orders").get(api::orders::list).post(api::orders::create))
        .service(at("/api/strategies").get(api::strategies::list))
        .service(at("/api/reset").post(api::reset::create))
        .service(at("/api/openapi.json").get(openapi::get))
        // For those who run it
        .service(at("/health").get(api::health::get_health))
        .service(at("/ready").get(api::health::get_ready))
        .default_service(web::to(async || Problem::not_found("Not Found").into_response()));
}
