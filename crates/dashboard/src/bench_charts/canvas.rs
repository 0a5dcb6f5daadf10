//! What a chart of a benchmark is made of, as its template takes it.

use askama::Template;

use super::scale::{Scale, figure};
use crate::picture::Pixels;

/// The width of each chart, in pixels. It fits a page of a document.
pub const WIDTH: f64 = 860.0;
/// Where bars begin. Before them is room for their names.
pub const BARS: f64 = 150.0;
/// Room for the figures at an axis below.
pub const AXIS: f64 = 34.0;
/// Free room at the left and at the right.
pub const EDGE: f64 = 16.0;
const TITLE: f64 = 27.0;
const FIRST_NOTE: f64 = 48.0;
/// From one note to the next.
const NOTE: f64 = 18.0;

/// Where a chart is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartPlace {
    /// On a page, which links to the style.
    Page,
    /// Anywhere: it brings its own style.
    File,
}

/// A chart while it is drawn, and `lab/bench_chart.svg`.
#[derive(Template)]
#[template(path = "lab/bench_chart.svg")]
pub struct Canvas {
    /// What the chart shows.
    pub title: String,
    is_file: bool,
    width: Pixels,
    height: Pixels,
    marks: Vec<Mark>,
}

/// A part of a chart. Its class gives it its look.
enum Mark {
    Bar { class: &'static str, x: Pixels, y: Pixels, width: Pixels, height: Pixels, says: String },
    Line { class: &'static str, x1: Pixels, y1: Pixels, x2: Pixels, y2: Pixels },
    Curve { class: &'static str, points: String },
    Dot { class: &'static str, x: Pixels, y: Pixels, says: String },
    Words { class: &'static str, x: Pixels, y: Pixels, words: String },
}

impl Canvas {
    /// A chart with a title, and notes below it.
    pub fn new(title: String, notes: &[String], height: f64) -> Self {
        let mut canvas = Self {
            is_file: false,
            width: Pixels(WIDTH),
            height: Pixels(height),
            marks: Vec::new(),
            title: title.clone(),
        };
        canvas.words("title", (EDGE, TITLE), title);
        for (number, note) in notes.iter().enumerate() {
            canvas.words("note", (EDGE, FIRST_NOTE + number as f64 * NOTE), note);
        }
        canvas
    }

    /// Where the room below so many notes begins.
    pub fn below(notes: usize) -> f64 {
        FIRST_NOTE + notes as f64 * NOTE
    }

    /// The chart as SVG.
    ///
    /// # Errors
    /// When the template can't be filled in.
    pub fn svg(mut self, place: ChartPlace) -> askama::Result<String> {
        self.is_file = place == ChartPlace::File;
        self.render()
    }

    /// A bar, which says what it is.
    pub fn bar(
        &mut self,
        class: &'static str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        says: String,
    ) {
        let [x, y, width, height] = [x, y, width, height].map(Pixels);
        self.marks.push(Mark::Bar { class, x, y, width, height, says });
    }

    /// A straight line.
    pub fn line(&mut self, class: &'static str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(Pixels);
        self.marks.push(Mark::Line { class, x1, y1, x2, y2 });
    }

    /// The lines of an axis below, from `top` to `bottom`, with their figures. `at` says where a figure lies.
    pub fn axis_below(&mut self, scale: &Scale, at: impl Fn(f64) -> f64, (top, bottom): (f64, f64)) {
        for tick in &scale.ticks {
            self.line("grid", (at(*tick), top), (at(*tick), bottom));
            self.words("tick middle", (at(*tick), bottom + 18.0), figure(*tick));
        }
    }

    /// A line through these points.
    pub fn curve(&mut self, class: &'static str, points: &[(f64, f64)]) {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{},{}", Pixels(*x), Pixels(*y))).collect();
        self.marks.push(Mark::Curve { class, points: points.join(" ") });
    }

    /// A point, which says what it is.
    pub fn dot(&mut self, class: &'static str, (x, y): (f64, f64), says: String) {
        self.marks.push(Mark::Dot { class, x: Pixels(x), y: Pixels(y), says });
    }

    /// Words at their place.
    pub fn words(&mut self, class: &'static str, (x, y): (f64, f64), words: impl Into<String>) {
        self.marks.push(Mark::Words { class, x: Pixels(x), y: Pixels(y), words: words.into() });
    }
}
