//! The guide's timelines: blocks of the language `timeline` that show what `make timeline` prints. They are compared
//! column by column. Ids, times and replicas are different each time, so they count as equal.

use anyhow::{Context, ensure};

use super::printed::is_same;

/// A timeline as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedTimeline {
    /// The sentences between the first line and the table.
    pub facts: Vec<String>,
    /// The heads of the columns: `A (replica-1)`.
    pub heads: Vec<String>,
    /// The rows of the table.
    pub rows: Vec<PrintedRow>,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedRow {
    /// When it happened, in milliseconds.
    pub time: String,
    /// What stands in each column.
    pub cells: Vec<String>,
    /// The stock, and the orders.
    pub counts: [String; 2],
}

/// The place of a column: its first character, and the one after its last.
type Place = (usize, usize);

impl PrintedTimeline {
    /// Reads a timeline.
    ///
    /// # Errors
    /// When it does not have the form that `make timeline` prints. The error says why.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        ensure!(first.starts_with("Click ") && first.ends_with(" UTC"), "it begins with {first:?}");
        let facts: Vec<String> =
            lines.by_ref().take_while(|line| !line.is_empty()).map(str::to_owned).collect();
        let head = lines.next().context("it has no table")?;
        let (columns, counts) = places(head)?;
        let rows = lines.by_ref().take_while(|line| !line.is_empty());
        let rows = rows.map(|line| row(line, &columns, counts)).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!facts.is_empty() && !rows.is_empty(), "it has no sentences, or no rows");
        let heads = columns.iter().map(|place| cell(head, *place)).collect();
        Ok(Self { facts, heads, rows })
    }

    /// What is printed otherwise than the guide says, in words. `None`: nothing is.
    pub fn difference(&self, printed: &Self) -> Option<String> {
        let rows = |timeline: &Self| {
            let row = |row: &PrintedRow| format!("{} | {}", row.cells.join(" | "), row.counts.join(" | "));
            timeline.rows.iter().map(row).collect::<Vec<_>>()
        };
        for (guide, printed) in
            [(&self.facts, &printed.facts), (&self.heads, &printed.heads), (&rows(self), &rows(printed))]
        {
            if guide.len() != printed.len() {
                return Some(format!("{} lines, and not {}", printed.len(), guide.len()));
            }
            let differs = |(guide, printed): &(&String, &String)| !is_same(guide, printed);
            if let Some((guide, printed)) = guide.iter().zip(printed).find(differs) {
                return Some(format!("{printed:?}, and not {guide:?}"));
            }
        }
        None
    }
}

/// Compares a block of the guide with what was printed.
///
/// # Errors
/// When one of them is no timeline, or when they differ. The error says how.
pub fn compare(guide: &str, printed: &str) -> anyhow::Result<()> {
    let guide = PrintedTimeline::read(guide).context("the guide's timeline")?;
    let difference = guide.difference(&PrintedTimeline::read(printed).context("what is printed")?);
    match difference {
        Some(difference) => Err(anyhow::anyhow!("the timeline has {difference}")),
        None => Ok(()),
    }
}

/// The places of the columns, and of stock and orders.
fn places(head: &str) -> anyhow::Result<(Vec<Place>, [Place; 2])> {
    ensure!(head.starts_with(" time ms  A ("), "its table begins with {head:?}");
    let [stock, orders] = [" stock", "  orders"].map(|name| Some((head.find(name)?, name.len())));
    let [stock, orders] = [stock, orders].map(|place| place.map(|(from, length)| (from, from + length)));
    let (stock, orders) = stock.zip(orders).context("its table has no stock and orders")?;
    let begins: Vec<usize> = ["A (", "B ("].iter().filter_map(|name| head.find(name)).collect();
    let ends = begins.iter().copied().skip(1).chain([stock.0]);
    Ok((begins.iter().copied().zip(ends).collect(), [stock, orders]))
}

fn row(line: &str, columns: &[Place], counts: [Place; 2]) -> anyhow::Result<PrintedRow> {
    let time = cell(line, (0, columns[0].0));
    ensure!(time.parse::<f64>().is_ok(), "no time stands before {line:?}");
    let cells = columns.iter().map(|place| cell(line, *place)).collect();
    let counts = counts.map(|place| cell(line, place));
    let is_count = |count: &String| count == "?" || count.parse::<i64>().is_ok();
    ensure!(counts.iter().all(is_count), "no stock and orders stand behind {line:?}");
    Ok(PrintedRow { time, cells, counts })
}

/// What stands at a place of a line, without the blanks around it.
fn cell(line: &str, (from, to): Place) -> String {
    let text: String = line.chars().skip(from).take(to - from).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = "\
Click 11, 2026-11-22 20:31:07.200 UTC
A saw quantity 1 and B saw quantity 0.
B waited 54.2 ms for A.

 time ms  A (replica-1)                         B (replica-2)                        stock  orders
     0.0  BEGIN                                                                          1       0
    50.7                                        SELECT FOR UPDATE                        1       0
   103.8  COMMIT: order a1d0c2be                ... waits for A ...                      0       1

stock and orders: what is committed; orders: those that are new
";

    #[test]
    fn ids_times_and_replicas_are_no_difference() {
        let printed = GUIDE
            .replace("Click 11, 2026-11-22", "Click 7, 2027-01-02")
            .replace("54.2", "9.1")
            .replace("    50.7", "   151.2")
            .replace("a1d0c2be", "385f36fa")
            .replace("A (replica-1)", "A (replica-2)");
        assert_ne!(printed, GUIDE);

        compare(GUIDE, &printed).unwrap();
    }

    #[test]
    fn all_else_is() {
        let moved = "    50.7  SELECT FOR UPDATE                                                              1       0";
        let row = "    50.7                                        SELECT FOR UPDATE                        1       0";
        for (said, instead) in [
            ("quantity 0", "quantity 1"),
            ("B waited 54.2 ms for A.", "No statement waited for a lock."),
            ("B waited 54.2 ms for A.\n", ""),
            ("SELECT FOR UPDATE", "SELECT FOR SHARE "),
            (row, moved),
            (row, ""),
            ("... waits for A ...", "                   "),
            ("0       1\n\nstock", "0       2\n\nstock"),
            (" 0       1\n\nstock", "-1       1\n\nstock"),
            ("A (replica-1)", "here         "),
            (" stock  orders", ""),
            ("     0.0  BEGIN", "          BEGIN"),
            ("Click 11", "11"),
        ] {
            let printed = GUIDE.replacen(said, instead, 1);
            assert_ne!(printed, GUIDE, "{said}");

            assert!(compare(GUIDE, &printed).is_err(), "{printed}");
        }
    }
}
