//! The meanings of figures. Each command has one place that defines its figures.

use crate::wrap::wrapped;

/// The width of `--help`, and below it the width of the column with the names.
const WIDTH: usize = 108;
const NAME_WIDTH: usize = 22;

/// The names of some figures ("name, name"), and what they are.
pub type Definition = (&'static str, &'static str);

/// The definitions, as `--help` shows them.
pub fn text(definitions: &[Definition]) -> String {
    let line = |(name, meaning): &Definition| {
        let meaning = wrapped(meaning, WIDTH - NAME_WIDTH).join(&format!("\n{:NAME_WIDTH$}", ""));
        format!("  {name:<width$}{meaning}\n", width = NAME_WIDTH - 2)
    };
    format!("Figures:\n{}", definitions.iter().map(line).collect::<String>())
}

/// Asserts that each figure of the row is defined, under its own name or under one that `alias` gives for it.
#[cfg(test)]
pub fn assert_define(definitions: &[Definition], row: impl serde::Serialize, alias: impl Fn(&str) -> String) {
    let row = serde_json::to_value(row).unwrap();
    let is_defined =
        |name: &str| definitions.iter().any(|(names, _)| names.split(", ").any(|known| known == name));

    for name in row.as_object().unwrap().keys() {
        // A way to sell is no figure.
        assert!(name == "strategy" || is_defined(&alias(name)), "{name}");
    }
}
