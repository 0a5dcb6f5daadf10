//! The timeline of a click as SVG: a lane for each transaction, and one clock for all. `picture/drawing.rs` draws a lane.

mod drawing;
mod shapes;

use askama::Template;

use crate::clock::{Clock, Span};
use crate::crowd::Crowd;
use crate::waits::{Waiting, waits};
use drawing::Drawing;
use shapes::{Arrow, Band, LEFT, Room};
pub use shapes::{Links, Pixels};

/// The picture's own style. Pages link to it, and an exported file carries it with it.
pub const STYLE: &str = include_str!("../../../templates/lab/picture.css");

/// Room for the clock's marks.
const AXIS: f64 = 34.0;
const BAND_HEAD: f64 = 26.0;
const BAND_FOOT: f64 = 8.0;
const LANE_HEIGHT: f64 = 98.0;
const FOLD_HEIGHT: f64 = 44.0;
/// An arrow begins and ends so far from the ends of its bars, to leave their words free.
const BESIDE_TITLE: f64 = 220.0;
const BESIDE_NOTES: f64 = 9.0;
/// A wider picture keeps its size on a page, and scrolls. Its words would be too small otherwise.
const WIDE: f64 = 1400.0;

/// `lab/picture.svg`
#[derive(Template)]
#[template(path = "lab/picture.svg")]
struct Picture {
    number: u64,
    is_wide: bool,
    is_for_projector: bool,
    title: String,
    is_file: bool,
    width: Pixels,
    height: Pixels,
    ticks: Vec<(Pixels, String)>,
    bands: Vec<Band>,
    arrows: Vec<Arrow>,
    /// Where the time of the look is, while a lane goes on.
    now: Option<Pixels>,
}

/// Draws the click for a page.
///
/// # Errors
/// When the template can't be filled in.
pub fn draw(crowd: &Crowd, links: Links) -> askama::Result<String> {
    draw_in(Room::Page, crowd, links)
}

/// Draws the click for a projector. The clock goes at least as far as `horizon_ms`, in milliseconds, and what stands on
/// it stays in its place while the lanes grow.
///
/// # Errors
/// When the template can't be filled in.
pub fn draw_for_projector(crowd: &Crowd, links: Links, horizon_ms: f64) -> askama::Result<String> {
    draw_in(Room::Projector { horizon_ms }, crowd, links)
}

fn draw_in(room: Room, crowd: &Crowd, links: Links) -> askama::Result<String> {
    let waits = waits(crowd);
    let clock = Clock::fitting(&spans(crowd, room));
    let drawing = Drawing::new(crowd, &clock, links, room);
    let width = (LEFT + clock.width() + room.right()).max(room.least_width());
    let is_growing = crowd.lanes.iter().any(|lane| crowd.goes_on(lane));
    let (bands, places, height) = stack(crowd, &drawing);
    let arrows = waits.iter().filter_map(|wait| arrow(crowd, &clock, &places, wait)).collect();
    let ticks = clock.ticks().into_iter().map(|tick| (Pixels(LEFT + tick.x), format!("{}", tick.ms)));
    Picture {
        number: crowd.click.number,
        is_wide: width > WIDE,
        is_for_projector: room != Room::Page,
        title: format!("Click {}: the transactions side by side, time in milliseconds", crowd.click.number),
        is_file: links == Links::None,
        width: Pixels(width),
        height: Pixels(height),
        ticks: ticks.collect(),
        bands,
        arrows,
        now: is_growing.then(|| Pixels(LEFT + clock.x(crowd.length_ms()))),
    }
    .render()
}

/// What needs room: each statement with its words, each pause of the application, and each fold.
fn spans(crowd: &Crowd, room: Room) -> Vec<Span> {
    let length = match room {
        Room::Page => crowd.length_ms(),
        Room::Projector { horizon_ms } => crowd.length_ms().max(horizon_ms),
    };
    let mut spans = Vec::new();
    for lane in &crowd.lanes {
        let steps = drawing::shown(lane);
        spans.extend(steps.iter().map(|step| drawing::span_of(crowd, step, room)));
        spans.extend(steps.windows(2).map(|pair| drawing::pause_between(&pair[0], &pair[1], room)));
    }
    spans.push(Span { began_ms: 0.0, ended_ms: length, least_width: 0.0 });
    if let Some(longest) = crowd.folds.iter().map(|fold| drawing::fold_width(fold)).max_by(f64::total_cmp) {
        spans.push(Span { began_ms: 0.0, ended_ms: length, least_width: longest });
    }
    spans
}

/// Puts the bands below one another. Also returns the height of each lane's bars, and of the whole picture.
fn stack(crowd: &Crowd, drawing: &Drawing) -> (Vec<Band>, Vec<f64>, f64) {
    let mut replicas: Vec<&str> = crowd.all_lanes().map(|lane| lane.replica).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let mut places = vec![0.0; crowd.lanes.len()];
    let mut bands = Vec::new();
    let mut y = AXIS;
    for replica in replicas {
        let top = y;
        y += BAND_HEAD;
        let mut lanes = Vec::new();
        for (place, lane) in crowd.lanes.iter().enumerate().filter(|(_, lane)| lane.replica == replica) {
            places[place] = y;
            lanes.push(drawing.lane(place, lane, y));
            y += LANE_HEIGHT;
        }
        let mut folds = Vec::new();
        for fold in crowd.folds.iter().filter(|fold| fold.replica == replica) {
            folds.push(drawing.fold(fold, y));
            y += FOLD_HEIGHT;
        }
        y += BAND_FOOT;
        bands.push(Band {
            replica: replica.to_owned(),
            y: Pixels(top),
            height: Pixels(y - top - 4.0),
            lanes,
            folds,
        });
    }
    (bands, places, y)
}

fn arrow(crowd: &Crowd, clock: &Clock, places: &[f64], wait: &Waiting) -> Option<Arrow> {
    let (holder, taken_by) = wait.holder?;
    let step = &crowd.lanes[wait.lane].steps[wait.step];
    let taken_by = taken_by.and_then(|place| crowd.lanes[holder].steps.get(place));
    // At the right end of the bar that took the lock, beside its notes.
    let taken_at = taken_by.map_or(step.began_ms, |taken| taken.ended_ms.unwrap_or(taken.began_ms));
    let to_x = LEFT + clock.x(taken_at) - BESIDE_NOTES;
    let (begin, end) = (clock.x(step.began_ms), clock.x(step.ended_ms.unwrap_or_else(|| crowd.length_ms())));
    let from_x = LEFT + f64::midpoint(begin, end).min(begin + BESIDE_TITLE);
    Some(Arrow::between((from_x, places[wait.lane]), (to_x, places[holder])))
}
