//! How much processor time a purchase costs, as bars of four parts.

use super::canvas::{AXIS, BARS, Canvas, WIDTH};
use super::scale::{Scale, figure};
use crate::measured::MeasuredStrategy;

/// Where the longest bar may end.
const RIGHT: f64 = WIDTH - 90.0;
const ROW: f64 = 25.0;
const BAR: f64 = 15.0;
const LEGEND: f64 = 30.0;
/// From one name of the legend to the next.
const BETWEEN_NAMES: f64 = 120.0;
/// The parts, in the order of [`MeasuredStrategy::cpu_us`]: the name and the class of each.
const PARTS: [(&str, &str); 4] = [
    ("replicas", "of-replicas"),
    ("gateway", "of-gateway"),
    ("PostgreSQL", "of-postgresql"),
    ("the buyers", "of-load"),
];

/// The chart of these rows, which are of one crowd. The cheapest strategy comes first.
pub fn draw(rows: &[&MeasuredStrategy], crowd: &str) -> Canvas {
    let mut rows: Vec<(&MeasuredStrategy, Option<[f64; 4]>)> =
        rows.iter().map(|row| (*row, row.cpu_us())).collect();
    let sum = |parts: &Option<[f64; 4]>| parts.map(|parts| parts.iter().sum::<f64>());
    rows.sort_by(|(_, one), (_, other)| {
        sum(one).unwrap_or(f64::MAX).total_cmp(&sum(other).unwrap_or(f64::MAX))
    });
    let notes = ["Microseconds of a processor, also of purchases that had to try again.".to_owned()];
    let legend = Canvas::below(notes.len()) + 4.0;
    let top = legend + LEGEND;
    let bottom = top + rows.len() as f64 * ROW;
    let scale = Scale::linear(rows.iter().filter_map(|(_, parts)| sum(parts)));
    let at = |figure: f64| BARS + scale.place(figure) * (RIGHT - BARS);

    let mut canvas = Canvas::new(format!("Processor time for a purchase: {crowd}"), &notes, bottom + AXIS);
    for (place, (name, class)) in PARTS.into_iter().enumerate() {
        let x = BARS + place as f64 * BETWEEN_NAMES;
        canvas.bar(class, (x, legend - 9.0), (12.0, 12.0), String::new());
        canvas.words("note", (x + 18.0, legend + 2.0), name);
    }
    canvas.axis_below(&scale, at, (top, bottom));
    for (place, (row, parts)) in rows.iter().enumerate() {
        let y = top + place as f64 * ROW;
        canvas.words("name end", (BARS - 8.0, y + 16.0), &row.strategy);
        let Some(parts) = parts else {
            canvas.words("wrong", (BARS + 6.0, y + 16.0), "no figure");
            continue;
        };
        let mut done = 0.0;
        for ((name, class), part) in PARTS.into_iter().zip(parts) {
            let (from, to) = (at(done), at(done + part));
            let says = format!("{}, {name}: {} µs", row.strategy, figure(*part));
            canvas.bar(class, (from, y + 4.0), (to - from, BAR), says);
            done += part;
        }
        canvas.words("figure", (at(done) + 7.0, y + 16.0), format!("{} µs", figure(done)));
    }
    canvas
}
