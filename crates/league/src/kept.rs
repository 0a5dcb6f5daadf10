//! What earlier runs have found. A run that was ended may go on where it was.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::catalogue::Variant;
use crate::row::Row;
use crate::tree::Tree;

/// The file of the rows, one JSON object in each line, and whether they are used.
#[derive(Clone)]
pub struct Kept {
    /// The project whose variants are judged.
    pub tree: Tree,
    is_used: bool,
}

impl Kept {
    /// The rows of this project. Unless they are used, they are forgotten.
    pub fn of(tree: Tree, is_used: bool) -> Self {
        Self { tree, is_used }
    }

    /// Divides the variants into those that were judged already, with what was found, and the others. A label may have
    /// changed since. Words may not.
    ///
    /// # Errors
    /// When an old file can't be removed.
    pub fn divide(&self, wanted: Vec<Variant>) -> anyhow::Result<(Vec<Row>, Vec<Variant>)> {
        let path = self.path();
        if !self.is_used {
            if path.exists() {
                fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))?;
            }
            return Ok((Vec::new(), wanted));
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        let known: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let (mut rows, mut others) = (Vec::new(), Vec::new());
        for variant in wanted {
            let is_same = |row: &&Row| row.variant.name == variant.name && row.variant.words == variant.words;
            // The newest one is the last one.
            match known.iter().rev().find(is_same) {
                Some(row) => rows.push(Row { variant, ..row.clone() }),
                None => others.push(variant),
            }
        }
        Ok((rows, others))
    }

    /// Keeps a row.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep(&self, row: &Row) -> anyhow::Result<()> {
        let path = self.path();
        let line = serde_json::to_string(row)? + "\n";
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .with_context(|| format!("can't write {}", path.display()))
    }

    fn path(&self) -> PathBuf {
        self.tree.target.join("league/rows.jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::variants;
    use crate::opinion::Opinion;

    #[test]
    fn what_was_judged_is_not_judged_again_unless_its_words_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("league")).unwrap();
        let tree = Tree { root: folder.path().to_owned(), target: folder.path().to_owned() };
        let kept = Kept::of(tree.clone(), true);
        let mut wanted: Vec<Variant> = variants().unwrap().into_iter().take(3).collect();
        for variant in &wanted[..2] {
            let (opinions, seconds) = (vec![Opinion::Right; 4], vec![1.0; 4]);
            let variant = variant.clone();
            let row =
                Row { variant, brute_force: Ok(None), opinions, seconds, mistake: None, foretold: None };
            kept.keep(&row).unwrap();
        }
        "another label".clone_into(&mut wanted[0].said);
        wanted[1].words.push("look".to_owned());
        let names = |variants: &[Variant]| -> Vec<String> {
            variants.iter().map(|variant| variant.name.clone()).collect()
        };

        let (rows, others) = kept.divide(wanted.clone()).unwrap();
        assert_eq!((rows.len(), names(&others)), (1, names(&wanted[1..])));
        assert_eq!(rows[0].variant.said, "another label", "labels are those of now");

        let (rows, others) = Kept::of(tree, false).divide(wanted.clone()).unwrap();
        assert_eq!((rows.len(), others.len()), (0, 3));
        assert_eq!(kept.divide(wanted).unwrap().0.len(), 0, "they are forgotten");
    }
}
