//! `GET /`: the last clicks, newest first. `?which=all` also shows the transactions that are no purchases.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::answer;
use crate::click_view::ClickView;
use crate::clicks::{Click, Which};
use crate::crowd::Crowd;
use crate::facts::sentences;
use crate::find;
use crate::picture::Links;
use crate::problem::Problem;
use crate::settings::DashboardSettings;
use crate::source::Source;

/// So many clicks are drawn. Those before them are links.
const DRAWN: usize = 3;
const LISTED: usize = 20;

/// `lab/timeline.html`
#[derive(Template)]
#[template(path = "lab/timeline.html")]
struct TimelinePage<'a> {
    shop_url: &'a str,
    shows_all: bool,
    news: u64,
    clicks: Vec<ClickView>,
    older: Vec<OlderClick>,
}

/// A click that is not drawn.
struct OlderClick {
    number: u64,
    time: String,
    sentence: String,
}

/// The page.
pub async fn show(
    request: HttpRequest,
    source: Data<Source>,
    settings: Data<DashboardSettings>,
) -> Result<HttpResponse, Problem> {
    let shows_all = request.query_string() == "which=all";
    // Read first: what comes after it makes the page ask again.
    let news = *source.news().borrow();
    let clicks = find::newest(&source, if shows_all { Which::All } else { Which::Purchases });
    let page = TimelinePage {
        shop_url: &settings.shop_url,
        shows_all,
        news,
        clicks: draw(&clicks).map_err(|error| Problem::internal(&error))?,
        older: clicks.iter().skip(DRAWN).take(LISTED).map(OlderClick::of).collect(),
    };
    answer(&page)
}

/// Only the newest click has its table on this page. The bars of the others lead to their own pages.
fn draw(clicks: &[Click]) -> askama::Result<Vec<ClickView>> {
    let drawn = clicks.iter().take(DRAWN).enumerate();
    drawn
        .map(|(place, click)| {
            let links = if place == 0 { Links::SamePage } else { Links::OwnPage };
            let previous = clicks.get(place + 1).map(|click| click.number);
            Ok(ClickView { previous, ..ClickView::of(click, links)? })
        })
        .collect()
}

impl OlderClick {
    fn of(click: &Click) -> Self {
        Self {
            number: click.number,
            time: click.began_at.format("%H:%M:%S%.3f").to_string(),
            sentence: sentences(&Crowd::of(click)).join(" "),
        }
    }
}
