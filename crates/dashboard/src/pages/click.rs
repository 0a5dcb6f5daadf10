//! `GET /clicks/{number}`: one click, and all of its statements.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use askama::Template;

use super::answer;
use crate::click_view::ClickView;
use crate::clicks::Which;
use crate::find;
use crate::picture::Links;
use crate::problem::Problem;
use crate::settings::DashboardSettings;
use crate::source::Source;

/// `lab/click_page.html`
#[derive(Template)]
#[template(path = "lab/click_page.html")]
struct ClickPage<'a> {
    shop_url: &'a str,
    click: ClickView,
}

/// The page.
pub async fn show(
    source: Data<Source>,
    settings: Data<DashboardSettings>,
    number: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let click = find::click(&source, *number)?;
    let mut older = find::newest(&source, Which::Purchases).into_iter().map(|click| click.number);
    let previous = older.find(|number| *number < click.number);
    let view = ClickView::of(&click, Links::SamePage).map_err(|error| Problem::internal(&error))?;
    answer(&ClickPage { shop_url: &settings.shop_url, click: ClickView { previous, ..view } })
}
