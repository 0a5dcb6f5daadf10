//! The figures of races as charts. The pictures are SVG, and static/lab.css gives them their colours: it knows the parts
//! by the colours that are set here.

use charts_rs::{Color, Error, HorizontalBarChart, Series};

use crate::engine_messages::RacedStrategy;

/// In pixels.
const WIDTH: f32 = 720.0;
const BAR: f32 = 15.0;
const BETWEEN_GROUPS: f32 = 14.0;
const HEAD_AND_AXIS: f32 = 50.0;
/// The longest bar has its figure behind it.
const ROOM_FOR_FIGURES: f32 = 60.0;
/// So many races are laid side by side. There is a colour for each of their bars.
pub const MOST_RACES: usize = 4;
/// The colours of the words and the lines, and those of the bars. No picture is shown in them.
const WORDS: u8 = 0xf0;
const LINES: u8 = 0xf1;
const FIRST_BAR: u8 = 1;

/// A chart.
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// The names of its bars. Their colours are counted from 1.
    pub bars: Vec<String>,
    /// SVG.
    pub svg: String,
}

/// A race whose figures are drawn.
pub struct DrawnRace<'a> {
    /// The name of its bars. Without one, it is drawn alone.
    pub name: Option<String>,
    /// Its figures.
    pub strategies: &'a [RacedStrategy],
}

/// Bars of one colour: a name, and the figure of a strategy.
type Bars = (&'static str, fn(&RacedStrategy) -> Option<f64>);

/// Four charts of these races. A strategy that did not race has no bar.
///
/// # Errors
/// When a chart can't be drawn.
pub fn draw(races: &[DrawnRace]) -> Result<Vec<Chart>, Error> {
    let charts: [(&'static str, &[Bars]); 4] = [
        ("Sold per second", &[("sold per second", |it| Some(it.sold_per_second))]),
        ("Waits of winners, in ms", &[("p50", |it| it.winners_p50_ms), ("p95", |it| it.winners_p95_ms)]),
        ("Waits of losers, in ms", &[("p50", |it| it.losers_p50_ms), ("p95", |it| it.losers_p95_ms)]),
        ("Oversold copies", &[("oversold", |it| Some(it.oversold as f64))]),
    ];
    charts.iter().map(|(title, bars)| draw_one(title, races, bars)).collect()
}

fn draw_one(title: &'static str, races: &[DrawnRace], bars: &[Bars]) -> Result<Chart, Error> {
    let mut strategies: Vec<String> = Vec::new();
    for raced in races.iter().flat_map(|race| race.strategies) {
        if !strategies.contains(&raced.strategy) {
            strategies.push(raced.strategy.clone());
        }
    }
    // The last one is drawn at the top.
    strategies.reverse();
    let mut series = Vec::new();
    for race in races {
        for (name, figure) in bars {
            let of = |strategy: &String| {
                let raced = race.strategies.iter().find(|raced| raced.strategy == *strategy);
                raced.and_then(figure).map(|figure| ((figure * 10.0).round() / 10.0) as f32)
            };
            let name =
                race.name.as_ref().map_or_else(|| (*name).to_owned(), |race| format!("{race}, {name}"));
            let figures = strategies.iter().map(of).collect();
            series.push(Series { label_show: true, ..Series::new_nullable(name, figures) });
        }
    }
    let names = series.iter().map(|series| series.name.clone()).collect();
    Ok(Chart { title, bars: names, svg: painted(series, strategies).svg()? })
}

/// The chart, with a mark on each of its parts. A page shows the names of the bars itself.
fn painted(series: Vec<Series>, strategies: Vec<String>) -> HorizontalBarChart {
    let height = HEAD_AND_AXIS + strategies.len() as f32 * (series.len() as f32 * BAR + BETWEEN_GROUPS);
    let colors = (0..series.len()).map(|place| mark(FIRST_BAR + place as u8)).collect();
    let mut chart = HorizontalBarChart::new(series, strategies);
    chart.width = WIDTH;
    chart.height = height;
    chart.margin.right = ROOM_FOR_FIGURES;
    chart.background_color = Color::transparent();
    chart.legend.show = Some(false);
    chart.series.colors = colors;
    chart.series.label.font.color = mark(WORDS);
    chart.x_axis.font.color = mark(WORDS);
    chart.x_axis.stroke_color = mark(LINES);
    chart.grid.stroke_color = mark(LINES);
    for axis in &mut chart.y_axis_configs {
        axis.font.color = mark(WORDS);
        axis.stroke_color = mark(LINES);
    }
    chart
}

/// A colour that only marks a part.
fn mark(number: u8) -> Color {
    Color { r: 0xab, g: 0xcd, b: number, a: 255 }
}
