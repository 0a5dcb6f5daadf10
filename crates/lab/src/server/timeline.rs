//! Writes a click down for `lab timeline`: what the wiretap has seen of it.

use flash_sale_dashboard::clicks::{Click, Which};
use flash_sale_dashboard::crowd::Crowd;
use flash_sale_dashboard::picture::{self, Links};
use flash_sale_dashboard::{Source, TransactionView, find, text};
use flash_sale_testbed::reason::told;
use tokio::task::spawn_blocking;

use super::lab::Lab;
use crate::control::messages::{Event, TimelineForm};
use crate::progress::Stage;

/// So many clicks are named when somebody asks for one that is not kept.
const MOST_NAMED: usize = 5;

/// Writes down the click with this transaction, or the last purchase.
pub(super) async fn answer(lab: &Lab, click: Option<u64>, form: TimelineForm) -> Event {
    let Some(wiretap) = lab.wiretap.get() else { return Event::Failed(why_no_wiretap(lab)) };
    let source = Source::from(wiretap.recorder());
    let url = lab.reach.url.clone();
    // The gateway's connections must not wait while a click of many buyers is put together.
    let writing = spawn_blocking(move || match choose(&source, click, &url) {
        Ok(click) => write(click, form).map_err(|error| told(&error)),
        Err(reason) => Err(reason),
    });
    match writing.await {
        Ok(Ok(written)) => Event::Timeline(written),
        Ok(Err(reason)) => Event::Failed(reason),
        Err(error) => Event::Failed(format!("the click can't be written down: {error}")),
    }
}

fn why_no_wiretap(lab: &Lab) -> String {
    if !lab.settings.wiretap {
        return "the shop runs without the wiretap (WIRETAP=off), so nothing is known of its transactions.\n\
                Start it with the wiretap, and click again: WIRETAP=on make stop run"
            .to_owned();
    }
    match lab.progress.stage() {
        Stage::Starting => "the shop is still starting. Ask again in a moment".to_owned(),
        _ => "the shop runs without the wiretap: it could not be opened when the shop was started.\n\
              To see the reason, start the shop anew: make stop run"
            .to_owned(),
    }
}

/// The click that is asked for, or what to tell the person who asks.
fn choose(source: &Source, number: Option<u64>, url: &str) -> Result<Click, String> {
    let nobody = || {
        format!("nobody has bought anything since the shop was started. Buy at {url}, then: make timeline")
    };
    let purchases = find::newest(source, Which::Purchases);
    let Some(number) = number else { return purchases.into_iter().next().ok_or_else(nobody) };
    find::kept(source, number).ok_or_else(|| {
        let last: Vec<String> =
            purchases.iter().take(MOST_NAMED).map(|click| click.number.to_string()).collect();
        let known = if last.is_empty() { nobody() } else { format!("The last clicks: {}", last.join(", ")) };
        format!("there is no click {number}, or it is not kept any more.\n{known}")
    })
}

fn write(click: Click, form: TimelineForm) -> anyhow::Result<String> {
    Ok(match form {
        TimelineForm::Text => text::write(&Crowd::of(&click)),
        TimelineForm::Svg => picture::draw(&Crowd::of(&click), Links::None)?,
        TimelineForm::Json => {
            let views: Vec<TransactionView> =
                click.transactions.into_iter().map(TransactionView::from).collect();
            serde_json::to_string_pretty(&views)?
        }
    })
}
