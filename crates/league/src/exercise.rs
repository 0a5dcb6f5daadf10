//! The pieces of the exercise: `create_order`, cut at the lines that everybody knows it by.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

/// Where the exercise is.
pub const FILE: &str = "crates/services/src/order_service.rs";
/// The beginning of the method.
const METHOD: &str =
    "    pub async fn create_order(&self, product_id: Uuid) -> Result<order::Model, ServiceError> {\n";
const END: &str = "\n    }\n";
/// Each piece begins with the line that holds this text, and ends before the next piece.
const PIECES: [(&str, &str); 8] = [
    ("begin", "self.database.begin()"),
    ("read", "products.get_for_purchase(product_id)"),
    ("check", "if product.quantity <= 0"),
    ("pay", "self.payment.authorize()"),
    ("insert", "orders.create("),
    ("take", "products.decrement_quantity(product_id)"),
    ("commit", "transaction.commit()"),
    ("answer", "Ok(order)"),
];

/// The exercise, in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// The file, up to the first line of the method's body.
    pub before: String,
    /// The file, from the end of the method's body.
    pub after: String,
    /// The pieces of the body, by their names.
    pub pieces: BTreeMap<&'static str, String>,
}

impl Exercise {
    /// Cuts the text of [`FILE`].
    ///
    /// # Errors
    /// When the method is not the one that is shipped.
    pub fn cut(text: &str) -> anyhow::Result<Self> {
        let otherwise = "is not as it is shipped, and the league is made of that. See your edit: git diff";
        let (before, rest) =
            text.split_once(METHOD).with_context(|| format!("create_order in {FILE} {otherwise}"))?;
        let (body, after) =
            rest.split_once(END).with_context(|| format!("the end of create_order in {FILE} {otherwise}"))?;
        let lines: Vec<&str> = body.lines().collect();
        let mut starts = Vec::new();
        for (name, anchor) in PIECES {
            let found: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(anchor)).collect();
            ensure!(
                found.len() == 1 && starts.last().is_none_or(|last| *last < found[0]),
                "the piece \"{name}\" ({anchor}) of create_order in {FILE} {otherwise}"
            );
            starts.push(found[0]);
        }
        ensure!(starts[0] == 0, "the beginning of create_order in {FILE} {otherwise}");
        let ends = starts.iter().skip(1).copied().chain([lines.len()]);
        let pieces = PIECES
            .iter()
            .zip(starts.iter().zip(ends))
            .map(|((name, _), (start, end))| (*name, lines[*start..end].join("\n").trim_end().to_owned()));
        let pieces = pieces.collect();
        Ok(Self { before: format!("{before}{METHOD}"), after: format!("{END}{after}"), pieces })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The exercise of this tree.
    pub fn shipped() -> String {
        let path = format!("{}/../../{FILE}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_pieces_are_the_whole_method_and_nothing_else() {
        let text = shipped();

        let exercise = Exercise::cut(&text).unwrap();

        let body: Vec<&String> = PIECES.iter().map(|(name, _)| &exercise.pieces[name]).collect();
        let lines = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
        };
        let whole: String = body.iter().map(|piece| format!("{piece}\n")).collect();
        let put_together = format!("{}{whole}{}", exercise.before, exercise.after);
        assert_eq!(lines(&put_together), lines(&text));
        assert!(exercise.pieces["check"].contains("OutOfStock"));
    }

    #[test]
    fn an_exercise_that_is_not_the_shipped_one_is_an_error_that_names_the_piece() {
        let text = shipped();
        for (piece, shipped, edited) in [
            ("\"pay\"", "self.payment.authorize().await;", "self.payment.wait().await;"),
            ("\"check\"", "if product.quantity <= 0 {", "if product.quantity < 1 {"),
            ("create_order", "create_order(&self", "sell(&self"),
        ] {
            let error = Exercise::cut(&text.replacen(shipped, edited, 1)).unwrap_err().to_string();

            assert!(error.contains(piece) && error.contains("git diff"), "{error}");
        }
    }
}
