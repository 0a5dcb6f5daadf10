//! `GET /screen` and `GET /clicks/{number}/screen`: a picture that fills the screen, for a projector.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use askama::Template;

use super::answer;
use crate::click_view::ClickView;
use crate::clicks::Which;
use crate::find;
use crate::problem::Problem;
use crate::source::Source;

/// `lab/screen.html`
#[derive(Template)]
#[template(path = "lab/screen.html")]
struct ScreenPage {
    click: Option<ClickView>,
    /// What the page shows when there is something new. `None`: it stays as it is.
    news: Option<u64>,
}

/// The newest click. It changes by itself.
pub async fn show_newest(source: Data<Source>) -> Result<HttpResponse, Problem> {
    let news = Some(*source.news().borrow());
    let newest = find::newest(&source, Which::Purchases);
    let click = newest.first().map(ClickView::for_projector).transpose();
    answer(&ScreenPage { click: click.map_err(|error| Problem::internal(&error))?, news })
}

/// This click.
pub async fn show(source: Data<Source>, number: Path<u64>) -> Result<HttpResponse, Problem> {
    let click = find::click(&source, *number)?;
    let click = ClickView::for_projector(&click).map_err(|error| Problem::internal(&error))?;
    answer(&ScreenPage { click: Some(click), news: None })
}
