//! The figures of a benchmark as charts. They are drawn as the timeline is, and not with the library that draws races:
//! it knows no line across bars, which is the ceiling of a row, and no small charts beside one another. Start with
//! [`draw`].

mod canvas;
mod cpu;
mod over_buyers;
mod scale;
mod sold;

use std::collections::BTreeSet;

use crate::measured::{MeasuredStrategies, MeasuredStrategy};
use canvas::Canvas;
pub use canvas::ChartPlace;

/// The charts' own style. Pages link to it, and a file carries it with it.
pub const STYLE: &str = include_str!("../../../templates/lab/bench_chart.css");

/// A chart.
#[derive(Clone, Debug)]
pub struct BenchChart {
    /// The name of its file, without the ending: `sold-16-buyers-1-product`.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The numbers of buyers and products of the crowd that it shows. `None`: it shows several crowds.
    pub crowd: Option<(usize, usize)>,
    /// SVG.
    pub svg: String,
}

/// The charts of a benchmark. For each number of products that several numbers of buyers bought, there are two over the
/// buyers; then two for each crowd.
///
/// # Errors
/// When a template can't be filled in.
pub fn draw(measured: &MeasuredStrategies, place: ChartPlace) -> askama::Result<Vec<BenchChart>> {
    let mut charts = Vec::new();
    let crowds = measured.crowds();
    let products: BTreeSet<usize> = crowds.iter().map(|(_, products)| *products).collect();
    for products in products {
        let rows: Vec<&MeasuredStrategy> =
            measured.rows.iter().filter(|row| row.products == products).collect();
        let buyers: Vec<usize> =
            crowds.iter().filter(|crowd| crowd.1 == products).map(|crowd| crowd.0).collect();
        if buyers.len() < 2 {
            continue;
        }
        let name = kebab(&counted(products, "product"));
        let sold = over_buyers::sold(&rows, &buyers, products, measured);
        charts.push(finish(sold, format!("sold-over-buyers-{name}"), None, place)?);
        let waits = over_buyers::waits(&rows, &buyers, products);
        charts.push(finish(waits, format!("waits-over-buyers-{name}"), None, place)?);
    }
    for crowd in crowds {
        let in_crowd = |row: &&MeasuredStrategy| (row.buyers, row.products) == crowd;
        let rows: Vec<&MeasuredStrategy> = measured.rows.iter().filter(in_crowd).collect();
        let words = crowd_in_words(crowd);
        let name = kebab(&words);
        let sold = sold::draw(&rows, &words, measured);
        charts.push(finish(sold, format!("sold-{name}"), Some(crowd), place)?);
        charts.push(finish(cpu::draw(&rows, &words), format!("cpu-{name}"), Some(crowd), place)?);
    }
    Ok(charts)
}

/// The crowd of so many buyers and products: `16 buyers, 1 product`.
pub fn crowd_in_words((buyers, products): (usize, usize)) -> String {
    format!("{}, {}", counted(buyers, "buyer"), counted(products, "product"))
}

fn finish(
    canvas: Canvas,
    name: String,
    crowd: Option<(usize, usize)>,
    place: ChartPlace,
) -> askama::Result<BenchChart> {
    Ok(BenchChart { name, title: canvas.title.clone(), crowd, svg: canvas.svg(place)? })
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The words as a part of a file's name.
fn kebab(words: &str) -> String {
    words.replace(',', "").replace(' ', "-")
}
