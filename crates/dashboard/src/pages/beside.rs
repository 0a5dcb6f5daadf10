//! `GET /clicks/{number}/beside/{other}`: two clicks, to be compared.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use askama::Template;

use super::answer;
use crate::click_view::ClickView;
use crate::find;
use crate::picture::Links;
use crate::problem::Problem;
use crate::settings::DashboardSettings;
use crate::source::Source;

/// `lab/beside.html`
#[derive(Template)]
#[template(path = "lab/beside.html")]
struct BesidePage<'a> {
    shop_url: &'a str,
    clicks: Vec<ClickView>,
}

/// The page. A click beside itself is shown once.
pub async fn show(
    source: Data<Source>,
    settings: Data<DashboardSettings>,
    numbers: Path<(u64, u64)>,
) -> Result<HttpResponse, Problem> {
    let (one, other) = *numbers;
    let mut clicks = vec![find::click(&source, one)?];
    let other = find::click(&source, other)?;
    if other.number != clicks[0].number {
        clicks.push(other);
    }
    let views: askama::Result<Vec<ClickView>> =
        clicks.iter().map(|click| ClickView::of(click, Links::SamePage)).collect();
    let clicks = views.map_err(|error| Problem::internal(&error))?;
    answer(&BesidePage { shop_url: &settings.shop_url, clicks })
}
