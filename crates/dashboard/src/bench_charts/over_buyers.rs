//! What becomes of a strategy when more buyers come: a small chart for each strategy, side by side. Fifteen lines in one
//! chart could not be told apart. In each small chart, the other strategies are faint lines behind its own.

use super::canvas::{Canvas, EDGE, WIDTH};
use super::scale::{Scale, figure};
use crate::measured::{MeasuredStrategies, MeasuredStrategy};

const COLUMNS: usize = 4;
/// Room for the figures at the axis.
const LEFT: f64 = 52.0;
const BETWEEN: f64 = 18.0;
const PANEL: f64 = (WIDTH - LEFT - EDGE - (COLUMNS as f64 - 1.0) * BETWEEN) / COLUMNS as f64;
const HEIGHT: f64 = 112.0;
const HEAD: f64 = 24.0;
const FOOT: f64 = 26.0;
/// So many numbers of buyers can be written below a small chart.
const MOST_NAMES: usize = 6;
const NOTE: &str = "Each strategy before the faint lines of the others, with its highest figure. The axis is \
                    logarithmic.";

/// What all small charts of a chart share.
struct Panels<'a> {
    rows: &'a [&'a MeasuredStrategy],
    buyers: &'a [usize],
    scale: Scale,
    figure: fn(&MeasuredStrategy) -> Option<f64>,
    unit: &'static str,
    ceiling: Option<f64>,
    has_pgbench: bool,
}

/// Sold a second.
pub fn sold(
    rows: &[&MeasuredStrategy],
    buyers: &[usize],
    products: usize,
    measured: &MeasuredStrategies,
) -> Canvas {
    // The ceiling is that of one row.
    let ceiling = (products == 1).then_some(measured.conditions.ceiling.per_second);
    let figures = rows.iter().flat_map(|row| [row.per_second, row.pgbench_per_second]).flatten();
    let scale = Scale::logarithmic(figures.chain(ceiling));
    let has_pgbench = rows.iter().any(|row| row.pgbench_per_second.is_some());
    let mut notes = vec![NOTE.to_owned()];
    if has_pgbench {
        let of = "Dotted: pgbench without a shop, with the same statements or with those of pessimistic.";
        notes.push(of.to_owned());
    }
    if let Some(ceiling) = ceiling {
        notes.push(format!("Dashed: the ceiling of a lock on one row, {} a second.", figure(ceiling)));
    }
    let panels =
        Panels { rows, buyers, scale, figure: |row| row.per_second, unit: "/s", ceiling, has_pgbench };
    panels.draw(title("Sold a second", products), &notes)
}

/// How long the slowest hundredth of the buyers waits.
pub fn waits(rows: &[&MeasuredStrategy], buyers: &[usize], products: usize) -> Canvas {
    let scale = Scale::logarithmic(rows.iter().filter_map(|row| row.p99_ms));
    let figure: fn(&MeasuredStrategy) -> Option<f64> = |row| row.p99_ms;
    let panels = Panels { rows, buyers, scale, figure, unit: " ms", ceiling: None, has_pgbench: false };
    panels.draw(title("Wait of the slowest hundredth (p99), in ms", products), &[NOTE.to_owned()])
}

fn title(what: &str, products: usize) -> String {
    let of = if products == 1 { "one product".to_owned() } else { format!("{products} products") };
    format!("{what}, over the number of buyers: {of}")
}

impl Panels<'_> {
    fn draw(&self, title: String, notes: &[String]) -> Canvas {
        let mut strategies: Vec<&str> = Vec::new();
        for row in self.rows {
            if !strategies.contains(&row.strategy.as_str()) {
                strategies.push(&row.strategy);
            }
        }
        let lines = strategies.len().div_ceil(COLUMNS);
        let top = Canvas::below(notes.len());
        let height = top + lines as f64 * (HEAD + HEIGHT + FOOT);
        let mut canvas = Canvas::new(title, notes, height);
        for (place, strategy) in strategies.iter().enumerate() {
            let x = LEFT + (place % COLUMNS) as f64 * (PANEL + BETWEEN);
            let y = top + (place / COLUMNS) as f64 * (HEAD + HEIGHT + FOOT) + HEAD;
            self.draw_axes(&mut canvas, (x, y), place % COLUMNS == 0);
            for other in strategies.iter().filter(|other| *other != strategy) {
                canvas.curve("faint", &self.points(other, self.figure, (x, y)));
            }
            self.draw_strategy(&mut canvas, strategy, (x, y));
        }
        canvas
    }

    fn draw_axes(&self, canvas: &mut Canvas, (x, y): (f64, f64), has_words: bool) {
        for tick in &self.scale.ticks {
            let at = self.height_of(*tick, y);
            canvas.line("grid", (x, at), (x + PANEL, at));
            if has_words {
                canvas.words("tick end", (x - 7.0, at + 4.0), figure(*tick));
            }
        }
        if let Some(ceiling) = self.ceiling {
            let at = self.height_of(ceiling, y);
            canvas.line("ceiling", (x, at), (x + PANEL, at));
        }
        let step = self.buyers.len().div_ceil(MOST_NAMES);
        for (place, buyers) in self.buyers.iter().enumerate().step_by(step) {
            canvas.words("tick middle", (self.place_of(place, x), y + HEIGHT + 15.0), buyers.to_string());
        }
    }

    fn draw_strategy(&self, canvas: &mut Canvas, strategy: &str, (x, y): (f64, f64)) {
        canvas.words("name", (x, y - 8.0), strategy);
        if self.has_pgbench {
            canvas.curve("reference", &self.points(strategy, |row| row.pgbench_per_second, (x, y)));
        }
        canvas.curve("own", &self.points(strategy, self.figure, (x, y)));
        let mut largest = None;
        for row in self.rows.iter().filter(|row| row.strategy == strategy) {
            let Some(place) = self.buyers.iter().position(|buyers| *buyers == row.buyers) else { continue };
            let Some(found) = (self.figure)(row) else { continue };
            let says = format!("{strategy}, {} buyers: {}{}", row.buyers, figure(found), self.unit);
            canvas.dot("own-dot", (self.place_of(place, x), self.height_of(found, y)), says);
            largest = Some(found.max(largest.unwrap_or(0.0)));
        }
        let words = largest.map_or("no figure".to_owned(), |it| format!("{}{}", figure(it), self.unit));
        canvas.words("figure end", (x + PANEL, y - 8.0), words);
    }

    /// Where the figures of a strategy are. A number of buyers without a figure has no point.
    fn points(
        &self,
        strategy: &str,
        figure: impl Fn(&MeasuredStrategy) -> Option<f64>,
        (x, y): (f64, f64),
    ) -> Vec<(f64, f64)> {
        let of = |(place, buyers): (usize, &usize)| {
            let row = self.rows.iter().find(|row| row.strategy == strategy && row.buyers == *buyers)?;
            Some((self.place_of(place, x), self.height_of(figure(row)?, y)))
        };
        self.buyers.iter().enumerate().filter_map(of).collect()
    }

    fn place_of(&self, place: usize, x: f64) -> f64 {
        let steps = (self.buyers.len() - 1).max(1) as f64;
        x + 8.0 + place as f64 / steps * (PANEL - 16.0)
    }

    fn height_of(&self, figure: f64, y: f64) -> f64 {
        y + HEIGHT - self.scale.place(figure) * HEIGHT
    }
}
