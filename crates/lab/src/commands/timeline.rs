//! `lab timeline`: a click as text, for those who have no browser at hand.

use anyhow::{Context, bail};
use clap::Args;

use crate::console;
use crate::control::messages::{Event, Request, TimelineForm};
use crate::control::{NOT_RUNNING, ask, not_understood};

/// Which click is printed, and how.
#[derive(Args)]
pub struct TimelineArguments {
    /// The last click. Without --click, this is always so
    #[arg(long, conflicts_with = "click")]
    last: bool,
    /// The click with this number. The number of any of its transactions will do
    #[arg(long, value_name = "NUMBER")]
    click: Option<u64>,
    /// As JSON: the click's transactions, as the dashboard's API has them
    #[arg(long, conflicts_with = "svg")]
    json: bool,
    /// As a picture: make -s timeline ARGS=--svg > click.svg
    #[arg(long)]
    svg: bool,
}

impl TimelineArguments {
    fn request(&self) -> Request {
        let form = match (self.json, self.svg) {
            (true, _) => TimelineForm::Json,
            (_, true) => TimelineForm::Svg,
            _ => TimelineForm::Text,
        };
        Request::Timeline { click: self.click.filter(|_| !self.last), form }
    }
}

/// Prints what the wiretap has seen of the click. The running shop writes it, so no dashboard is needed.
///
/// # Errors
/// When no shop runs, when it has no wiretap, or when there is no such click. The error says what to do.
pub async fn timeline(arguments: &TimelineArguments) -> anyhow::Result<()> {
    match ask(&arguments.request(), |_| {}).await?.context(NOT_RUNNING)? {
        Event::Timeline(written) => console::line(written.trim_end()),
        Event::Failed(reason) => bail!(reason),
        other => bail!(not_understood(&other)),
    }
    Ok(())
}
