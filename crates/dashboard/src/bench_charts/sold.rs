//! How much each strategy sold in a second, as bars: the shop's, and pgbench's below it.

use super::canvas::{AXIS, BARS, Canvas, WIDTH};
use super::scale::{Scale, figure};
use crate::measured::{MeasuredStrategies, MeasuredStrategy};

/// Where the longest bar may end. Behind it is room for its figures.
const RIGHT: f64 = WIDTH - 215.0;
const ROW: f64 = 31.0;
const BAR: f64 = 14.0;
const PGBENCH_BAR: f64 = 5.0;
/// What is drawn below the ceiling's words.
const ABOVE_BARS: f64 = 8.0;

/// The chart of these rows, which are of one crowd. The strategy that sold most comes first.
pub fn draw(rows: &[&MeasuredStrategy], crowd: &str, measured: &MeasuredStrategies) -> Canvas {
    let mut rows = rows.to_vec();
    rows.sort_by(|one, other| other.per_second.unwrap_or(-1.0).total_cmp(&one.per_second.unwrap_or(-1.0)));
    let ceiling = measured.conditions.ceiling;
    // The ceiling is that of one row.
    let is_one_row = rows.first().is_some_and(|row| row.products == 1);
    let notes = notes(measured, is_one_row);
    let top = Canvas::below(notes.len()) + ABOVE_BARS;
    let bottom = top + rows.len() as f64 * ROW;
    let figures = rows.iter().flat_map(|row| [row.per_second_max, row.pgbench_per_second]).flatten();
    let scale = Scale::linear(figures.chain(is_one_row.then_some(ceiling.per_second)));
    let at = |figure: f64| BARS + scale.place(figure) * (RIGHT - BARS);

    let mut canvas = Canvas::new(format!("Sold a second: {crowd}"), &notes, bottom + AXIS);
    canvas.axis_below(&scale, at, (top, bottom));
    let ends: Vec<f64> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| draw_bars(&mut canvas, row, top + place as f64 * ROW, &at))
        .collect();
    if is_one_row {
        canvas.line("ceiling", (at(ceiling.per_second), top - 6.0), (at(ceiling.per_second), bottom));
    }
    // The words come last, before the ceiling's line.
    for (place, (row, end)) in rows.iter().zip(ends).enumerate() {
        let y = top + place as f64 * ROW + 16.0;
        canvas.words("name end", (BARS - 8.0, y), &row.strategy);
        let (class, words) = in_words(row);
        canvas.words(class, (end + 7.0, y), words);
    }
    canvas
}

fn notes(measured: &MeasuredStrategies, is_one_row: bool) -> Vec<String> {
    let ceiling = measured.conditions.ceiling;
    let rounds = match measured.options.rounds {
        1 => "one round".to_owned(),
        rounds => format!("the median of {rounds} rounds, with the slowest and the fastest one"),
    };
    let whose =
        if is_one_row { "Dashed: the ceiling of a lock on one row," } else { "A lock on one row allows" };
    vec![
        format!("Wide bar: the shop, {rounds}."),
        "Narrow bar: pgbench without a shop, with the same statements or with those of pessimistic."
            .to_owned(),
        format!(
            "{whose} {} a second: a lone buyer holds the row for {} ms.",
            figure(ceiling.per_second),
            figure(ceiling.lock_and_commit_ms)
        ),
    ]
}

/// Returns where the longest bar ends.
fn draw_bars(canvas: &mut Canvas, row: &MeasuredStrategy, y: f64, at: &impl Fn(f64) -> f64) -> f64 {
    let Some(sold) = row.per_second else { return BARS };
    let (bar, narrow) = (y + 4.0, y + 4.0 + BAR + 2.0);
    canvas.bar("shop", (BARS, bar), (at(sold) - BARS, BAR), format!("{}: {}", row.strategy, figure(sold)));
    let mut longest = sold;
    if let Some((min, max)) = row.per_second_min.zip(row.per_second_max).filter(|(min, max)| max > min) {
        let middle = bar + BAR / 2.0;
        canvas.line("spread", (at(min), middle), (at(max), middle));
        for end in [min, max] {
            canvas.line("spread", (at(end), middle - 3.0), (at(end), middle + 3.0));
        }
        longest = longest.max(max);
    }
    if let Some(pgbench) = row.pgbench_per_second {
        let says = format!("pgbench as {}: {}", row.strategy, figure(pgbench));
        canvas.bar("pgbench", (BARS, narrow), (at(pgbench) - BARS, PGBENCH_BAR), says);
        longest = longest.max(pgbench);
    }
    at(longest)
}

/// What stands behind the bars, and its class.
fn in_words(row: &MeasuredStrategy) -> (&'static str, String) {
    match (row.per_second, row.ratio.zip(row.pgbench_per_second)) {
        (None, _) => ("wrong", "no figure: the ledger is wrong".to_owned()),
        (Some(sold), None) => ("figure", figure(sold)),
        (Some(sold), Some((ratio, pgbench))) => {
            ("figure", format!("{} (pgbench {}, ratio {ratio:.2})", figure(sold), figure(pgbench)))
        }
    }
}
