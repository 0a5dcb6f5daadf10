//! What figures mean, in the one place of each command that says so.

use crate::wrap::wrapped;

/// Of `--help`, and of the column with the names.
const WIDTH: usize = 108;
const NAME_WIDTH: usize = 22;

/// Names of figures, "name, name", and what they are.
pub type Definition = (&'static str, &'static str);

/// As `--help` shows them.
pub fn text(definitions: &[Definition]) -> String {
    let line = |(name, meaning): &Definition| {
        let meaning = wrapped(meaning, WIDTH - NAME_WIDTH).join(&format!("\n{:NAME_WIDTH$}", ""));
        format!("  {name:<width$}{meaning}\n", width = NAME_WIDTH - 2)
    };
    format!("Figures:\n{}", definitions.iter().map(line).collect::<String>())
}

/// Whether one of them is of the figure with this name.
pub fn contains(definitions: &[Definition], name: &str) -> bool {
    definitions.iter().any(|(names, _)| names.split(", ").any(|known| known == name))
}
