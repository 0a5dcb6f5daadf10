//! A click as text, in the form of the walkthrough: time, two columns of statements, stock and orders. No line is longer
//! than a terminal is wide.

use std::fmt::Write;

use flash_sale_diagnosis::sql::label;

use crate::crowd::Crowd;
use crate::facts::sentences;
use crate::lane::{Lane, Step};
use crate::notes::{note, waited};
use crate::shelf::Shelf;
use crate::waits::holders_letter;

/// So many transactions get a column. The others are listed below.
const MOST_COLUMNS: usize = 2;
/// The width of a column, in characters.
const COLUMN: usize = 36;
/// The longest line, in characters. A row with two columns has as many.
const WIDTH: usize = 98;

/// Something that happened in a column.
struct Line {
    column: usize,
    /// When it happened.
    at_ms: f64,
    /// The stock and the orders are those of this time: a COMMIT counts when it is answered.
    counted_at_ms: f64,
    words: String,
    /// Until when the column waits after this line, and for whom.
    waits: Option<(f64, String)>,
}

/// Writes the click.
pub fn write(crowd: &Crowd) -> String {
    let time = crowd.click.began_at.format("%Y-%m-%d %H:%M:%S%.3f");
    let mut text = format!("Click {}, {time} UTC\n", crowd.click.number);
    for sentence in sentences(crowd) {
        push_wrapped(&mut text, &sentence);
    }
    text.push('\n');
    let columns = &crowd.lanes[..crowd.lanes.len().min(MOST_COLUMNS)];
    let shelf = Shelf::of(crowd);
    let heads = columns.iter().map(|lane| format!("{} ({})", lane.letter, lane.replica)).collect::<Vec<_>>();
    push_row(
        &mut text,
        " time ms",
        &heads,
        shelf.as_ref().map(|_| ("stock".to_owned(), "orders".to_owned())),
    );

    let lines = lines(crowd, columns);
    for (place, line) in lines.iter().enumerate() {
        let mut cells = vec![String::new(); columns.len()];
        for before in &lines[..place] {
            if let Some((until, holder)) = &before.waits
                && *until > line.at_ms
            {
                cells[before.column] = format!("  ... waits for {holder} ...");
            }
        }
        cells[line.column].clone_from(&line.words);
        let counts = shelf.as_ref().map(|shelf| shelf.at(line.counted_at_ms)).map(|(stock, orders)| {
            (stock.map_or_else(|| "?".to_owned(), |stock| stock.to_string()), orders.to_string())
        });
        push_row(&mut text, &format!("{:8.1}", line.at_ms), &cells, counts);
    }
    push_rest(&mut text, crowd);
    if shelf.is_some() {
        text.push_str("\nstock and orders: what is committed; orders: those that are new\n");
    }
    text
}

fn lines(crowd: &Crowd, columns: &[Lane]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (column, lane) in columns.iter().enumerate() {
        for step in &lane.steps {
            lines.extend(lines_of(crowd, column, step));
        }
        if lane.left_out() > 0 {
            let at_ms = lane.steps.last().map_or(0.0, |step| step.began_ms);
            let words = format!("({} more, left out)", lane.left_out());
            lines.push(Line { column, at_ms, counted_at_ms: at_ms, words, waits: None });
        }
    }
    lines.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    lines
}

fn lines_of(crowd: &Crowd, column: usize, step: &Step) -> Vec<Line> {
    let (at_ms, label, note) = (step.began_ms, label(&step.statement.sql), note(step));
    let ended_ms = step.ended_ms.unwrap_or(f64::INFINITY);
    let line = |at_ms, words, waits| Line { column, at_ms, counted_at_ms: ended_ms, words, waits };
    let Some(wait) = &step.statement.blocked_by else {
        let words = if note.is_empty() { label } else { format!("{label}: {note}") };
        return vec![line(at_ms, words, None)];
    };
    let holder = holders_letter(crowd, step).unwrap_or_else(|| format!("connection {}", wait.backend_pid));
    let begin = Line { counted_at_ms: at_ms, ..line(at_ms, label, Some((ended_ms, holder.clone()))) };
    let mut lines = vec![begin];
    if step.ended_ms.is_some() {
        let waited = waited(step, Some(&holder)).unwrap_or_default();
        lines.push(line(ended_ms, waited, None));
        if !note.is_empty() {
            lines.push(line(ended_ms, format!("  {note}"), None));
        }
    }
    lines
}

/// The lanes without a column, and the folded ones.
fn push_rest(text: &mut String, crowd: &Crowd) {
    let rest = crowd.lanes.iter().skip(MOST_COLUMNS).map(|lane| {
        let begin = lane.steps.first().map_or(0.0, |step| step.began_ms);
        format!("{} ({}), from {begin:.1} ms: {}", lane.letter, lane.replica, lane.ending())
    });
    let folds =
        crowd.folds.iter().map(|fold| format!("{} more ({}): {}", fold.lanes.len(), fold.replica, fold.way));
    let rest: Vec<String> = rest.chain(folds).collect();
    if !rest.is_empty() {
        text.push_str("\nWithout a column:\n");
        for line in rest {
            push_wrapped(text, &line);
        }
    }
}

/// Breaks a long line between two words. What follows is indented.
fn push_wrapped(text: &mut String, line: &str) {
    let mut length = 0;
    for word in line.split(' ') {
        let needed = 1 + word.chars().count();
        if length > 0 && length + needed > WIDTH {
            text.push_str("\n ");
            length = 1;
        }
        if length > 0 {
            text.push(' ');
        }
        text.push_str(word);
        length += needed;
    }
    text.push('\n');
}

fn push_row(text: &mut String, time: &str, cells: &[String], counts: Option<(String, String)>) {
    let mut row = time.to_owned();
    for cell in cells {
        let _ = write!(row, "  {:COLUMN$}", cut(cell));
    }
    if let Some((stock, orders)) = counts {
        let _ = write!(row, "{stock:>6}{orders:>8}");
    }
    text.push_str(row.trim_end());
    text.push('\n');
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= COLUMN {
        return cell.to_owned();
    }
    cell.chars().take(COLUMN - 1).chain(['…']).collect()
}
