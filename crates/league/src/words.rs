//! The words that a variant consists of: pieces of the exercise, pieces with an edit, and code that was written by hand.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};

use crate::exercise::Exercise;

/// The words beside the exercise's own pieces.
pub const WORDS: &str = include_str!("../exercise/words.txt");
/// What a variant does after a failed attempt.
pub const RETRIES: &str = include_str!("../exercise/retries.txt");

/// All words, each with its code.
#[derive(Clone, Debug)]
pub struct Words {
    code: BTreeMap<String, String>,
    retries: BTreeMap<String, String>,
}

impl Words {
    /// Makes the words of these texts from the exercise.
    ///
    /// # Errors
    /// When an edit doesn't find what it replaces: the error names the word.
    pub fn of(exercise: &Exercise, words: &str, retries: &str) -> anyhow::Result<Self> {
        let mut code: BTreeMap<String, String> =
            exercise.pieces.iter().map(|(name, piece)| ((*name).to_owned(), piece.clone())).collect();
        for (head, body) in blocks(words) {
            let (word, piece) = match head.split_once("] from ") {
                Some((word, piece)) => (word, Some(piece.trim())),
                None => (head.trim_end_matches(']'), None),
            };
            let text = match piece {
                Some(piece) => {
                    let original = exercise
                        .pieces
                        .get(piece)
                        .with_context(|| format!("{word}: no piece \"{piece}\""))?;
                    edit(original, &body).with_context(|| format!("the word {word}"))?
                }
                None => body,
            };
            code.insert(word.to_owned(), text);
        }
        let named = |(head, body): (&str, String)| (head.trim_end_matches(']').to_owned(), body);
        Ok(Self { code, retries: blocks(retries).into_iter().map(named).collect() })
    }

    /// The code of a word.
    ///
    /// # Errors
    /// When there is no such word.
    pub fn code(&self, word: &str) -> anyhow::Result<&str> {
        self.code.get(word).map(String::as_str).with_context(|| format!("there is no word {word}"))
    }

    /// The pattern of the errors after which the purchase is tried again, if the word is a retry.
    pub fn retry(&self, word: &str) -> Option<&str> {
        self.retries.get(word).map(|pattern| pattern.trim())
    }

    /// The names of all words and retries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.code.keys().chain(self.retries.keys()).map(String::as_str)
    }
}

/// The blocks of a text: a head in brackets, and the lines below it. A line that begins with # is a comment.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(head) = line.strip_prefix('[') {
            blocks.push((head, String::new()));
        } else if let Some((_, body)) = blocks.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    blocks.into_iter().map(|(head, body)| (head, body.trim_end().to_owned())).collect()
}

/// Replaces what stands left of `=>` in each line by what stands right of it.
fn edit(original: &str, edits: &str) -> anyhow::Result<String> {
    let mut text = original.to_owned();
    ensure!(!edits.is_empty(), "it has no edit");
    for line in edits.lines() {
        let Some((old, new)) = line.split_once(" => ") else { bail!("\"{line}\" has no =>") };
        ensure!(text.matches(old).count() == 1, "\"{old}\" is not in the exercise, or more than once");
        text = text.replacen(old, new, 1);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::tests::shipped;

    fn words(text: &str) -> anyhow::Result<Words> {
        Words::of(&Exercise::cut(&shipped()).unwrap(), text, "")
    }

    #[test]
    fn a_word_is_a_piece_an_edited_piece_or_written_out() {
        let words =
            words("# A comment.\n[late] from pay\nauthorize() => refuse()\n\n[two]\none();\n\ntwo();\n")
                .unwrap();

        assert!(words.code("pay").unwrap().contains("authorize()"));
        assert_eq!(words.code("late").unwrap().trim(), "self.payment.refuse().await;");
        assert_eq!(words.code("two").unwrap(), "one();\n\ntwo();");
        assert!(words.code("three").is_err());
    }

    #[test]
    fn an_edit_that_no_longer_fits_the_exercise_is_an_error_that_names_the_word() {
        for text in ["[late] from pay\nno such text => x", "[late] from nowhere\na => b", "[late] from pay\n"]
        {
            let error = format!("{:#}", words(text).unwrap_err());

            assert!(error.contains("late"), "{error}");
        }
    }
}
