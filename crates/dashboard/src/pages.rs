//! The pages, one file each.

pub mod beside;
pub mod click;
pub mod screen;
pub mod state;
pub mod timeline;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use askama::Template;

use crate::problem::Problem;

/// The answer with this page.
fn answer(page: &impl Template) -> Result<HttpResponse, Problem> {
    let html = page.render().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(ContentType::html()).body(html))
}
