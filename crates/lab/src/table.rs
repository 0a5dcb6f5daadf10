//! Tables for a terminal.

/// Headings of columns that hold words. The first column holds words, too; all other columns hold numbers.
const OF_WORDS: [&str; 1] = ["verdict"];

/// The heading, and the rows below it.
pub fn with_heading<const COLUMNS: usize>(
    heading: [&str; COLUMNS],
    rows: impl Iterator<Item = Vec<String>>,
) -> Vec<Vec<String>> {
    std::iter::once(heading.map(str::to_owned).to_vec()).chain(rows).collect()
}

/// Makes each column as wide as it needs. The first column and columns of words are aligned to the left, numbers to
/// the right.
pub fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let is_text = |column: usize| column == 0 || OF_WORDS.contains(&rows[0][column].as_str());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if is_text(column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["strategy", "sold", "verdict"], ["nowait", "12345", "ok"]];

        let table = align(&rows.map(|row| row.map(str::to_owned).to_vec()));

        assert_eq!(table, "strategy   sold  verdict\nnowait    12345  ok\n");
    }
}
