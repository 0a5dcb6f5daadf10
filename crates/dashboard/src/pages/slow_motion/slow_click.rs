//! The click of a slow motion, as far as it has come.

use chrono::{DateTime, TimeDelta, Utc};

use crate::captions::captions;
use crate::clicks::{Click, Which};
use crate::crowd::Crowd;
use crate::facts::sentences;
use crate::find;
use crate::picture::{self, Links};
use crate::run::Run;
use crate::shelf::Shelf;
use crate::source::Source;

/// The clock goes so far from the beginning. A click that takes longer is drawn on two or three times as long a clock.
const HORIZON_MS: f64 = 5000.0;
/// The clock of the wire and that of the click differ by less.
const MARGIN: TimeDelta = TimeDelta::milliseconds(5);

/// What is seen of it.
pub struct SlowClick {
    /// Its number on the timeline.
    pub number: u64,
    /// What each purchase does just now.
    pub captions: Vec<String>,
    /// The click in sentences, once all of its purchases have ended.
    pub sentences: Vec<String>,
    /// SVG.
    pub picture: String,
    /// The stock that is committed, if it is known.
    pub stock: Option<i64>,
    /// The orders that are committed.
    pub orders: u64,
}

impl SlowClick {
    /// The click of this run. `None`: nothing of it was seen yet, or it is not kept any more.
    pub fn find(run: &Run, source: &Source) -> Option<askama::Result<Self>> {
        let time = run.clicked_at? - MARGIN..=run.ended_at.unwrap_or_else(Utc::now) + MARGIN;
        let is_in_time = |click: &Click| click.transactions.iter().any(|it| time.contains(&it.began_at));
        // The oldest one: somebody else may have clicked after it.
        let click = find::newest(source, Which::Purchases).into_iter().rev().find(is_in_time)?;
        Some(Self::seen_at(&click, Utc::now()))
    }

    /// Whether more copies are sold than there were.
    pub fn is_oversold(&self) -> bool {
        self.stock.is_some_and(|stock| stock < 0)
    }

    fn seen_at(click: &Click, now: DateTime<Utc>) -> askama::Result<Self> {
        let crowd = Crowd::seen_at(click, now);
        let length_ms = crowd.length_ms();
        let is_over = !crowd.all_lanes().any(|lane| crowd.goes_on(lane));
        let shelf = Shelf::of(&crowd);
        let (stock, orders) = shelf.map_or((None, 0), |shelf| shelf.at(length_ms));
        let horizon_ms = (length_ms / HORIZON_MS).ceil() * HORIZON_MS;
        Ok(Self {
            number: click.number,
            captions: captions(&crowd),
            sentences: if is_over { sentences(&crowd) } else { Vec::new() },
            picture: picture::draw_for_projector(&crowd, Links::OwnPage, horizon_ms)?,
            stock,
            orders,
        })
    }
}
