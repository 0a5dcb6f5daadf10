//! Reads the walkthrough as a person does: its sections, its blocks of code, the edit that it asks for ([`Edit`]), and
//! the edits that it warns of ([`wrong_fix`]).
//! [`drift`] checks it against the tree. [`copy`] makes a copy of the tree to try it in. [`walk`] types what the
//! reader types, and compares what that prints. [`transcript`] and [`play`] do so for psql, and [`timeline`] for what
//! `make timeline` prints.

mod artifacts;
pub mod copy;
pub mod drift;
pub mod play;
pub mod printed;
mod terminal;
pub mod timeline;
pub mod transcript;
pub mod walk;
pub mod wrong_fix;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// The walkthrough's file.
pub const GUIDE: &str = "DETONADO.md";

/// The section that has the edit, after the edits that are not enough.
const FIX_IT: &str = "Fix it";

/// An edit of the walkthrough: in one file, one piece of code takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, from the project's folder.
    pub file: PathBuf,
    /// The code that stands there before, with its indentation.
    pub before: String,
    /// The code that stands there afterwards.
    pub after: String,
}

impl Edit {
    /// Reads the edit that the walkthrough asks for, from the section "Fix it": the block under "Before:", the block
    /// under "After:", and the last file that is named before them.
    ///
    /// # Errors
    /// When the section doesn't describe an edit in this way.
    pub fn read(guide: &str) -> anyhow::Result<Self> {
        let section = section(guide, FIX_IT).context("it has no section \"Fix it\"")?;
        let introduction = section.split("\nBefore:\n").next().unwrap_or_default();
        let file = rust_file_spans(introduction)
            .last()
            .context("its section \"Fix it\" names no file to edit before Before:")?;
        let block = |label: &str| {
            let (_, rest) = section.split_once(&format!("\n{label}\n\n```rust\n"))?;
            Some(rest.split_once("```")?.0.to_owned())
        };
        let edit = Self {
            file: PathBuf::from(file),
            before: block("Before:").context("its section \"Fix it\" has no block of code after Before:")?,
            after: block("After:").context("its section \"Fix it\" has no block of code after After:")?,
        };
        ensure!(edit.before != edit.after, "its Before: and After: are the same code");
        Ok(edit)
    }

    /// How many times exactly this `code` stands in the file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn count(&self, root: &Path, code: &str) -> anyhow::Result<usize> {
        Ok(self.text(root)?.matches(code).count())
    }

    /// Makes the edit, in the tree at `root`.
    ///
    /// # Errors
    /// When the code before the edit doesn't stand in the file exactly once.
    pub fn make(&self, root: &Path) -> anyhow::Result<()> {
        self.replace(root, &self.before, &self.after)
    }

    /// Takes the edit back.
    ///
    /// # Errors
    /// When the code after the edit doesn't stand in the file exactly once.
    pub fn take_back(&self, root: &Path) -> anyhow::Result<()> {
        self.replace(root, &self.after, &self.before)
    }

    fn replace(&self, root: &Path, old: &str, new: &str) -> anyhow::Result<()> {
        let count = self.count(root, old)?;
        let path = root.join(&self.file);
        ensure!(
            count == 1,
            "this code should stand in {} once, and stands there {count} times:\n{old}",
            path.display()
        );
        let edited = self.text(root)?.replacen(old, new, 1);
        fs::write(&path, edited).with_context(|| format!("can't write {}", path.display()))
    }

    fn text(&self, root: &Path) -> anyhow::Result<String> {
        let path = root.join(&self.file);
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    }
}

/// The headings of a text, without their `#`.
pub fn headings(text: &str) -> impl Iterator<Item = &str> {
    let lines = prose(text).flat_map(str::lines);
    lines.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim())
}

/// The section of the second level whose heading ends with `title`. It goes from its heading to the next heading of
/// that level.
pub fn section<'a>(text: &'a str, title: &str) -> Option<&'a str> {
    text.split_inclusive("\n## ")
        .find(|section| section.lines().next().is_some_and(|heading| heading.ends_with(title)))
}

/// The text between backticks, outside of blocks. Such a text may go on over the end of a line.
pub fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .flat_map(|part| part.split("\n\n"))
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
}

/// The files of Rust code that are named between backticks.
fn rust_file_spans(text: &str) -> impl Iterator<Item = &str> {
    code_spans(text).filter(|span| is_path(span) && span.ends_with(".rs"))
}

/// Whether a code span names a file or folder of the project.
pub fn is_path(span: &str) -> bool {
    let first = span.split('/').next().unwrap_or_default();
    ["crates", "migration", "templates", "static"].contains(&first)
        || span.ends_with(".md")
        || span == "Cargo.toml"
}

/// Targets of links and pictures within the repository: files, and `#anchors`.
pub fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http"))
}

/// A block of code, or of printed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// `sh`, `rust` and so on.
    pub language: &'a str,
    /// The lines of the block.
    pub text: &'a str,
}

/// All blocks, in their order.
pub fn all_blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.split_once('\n').map(|(language, text)| Block { language, text }))
}

/// The blocks in one language.
pub fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    all_blocks(text).filter(move |block| block.language == language).map(|block| block.text)
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Guide\n\n## 6. Fix it\n\nNot `crates/b.rs`: open `crates/a.rs`.\n\n\
        Before:\n\n```rust\n    one\n```\n\nAfter:\n\n```rust\n    two\n```\n\n\
        ```sh\n# no heading\n```\n\n## 7. Next\n\nA `long\nspan` and `another`.\n";

    #[test]
    fn the_edit_is_what_the_text_says() {
        let edit = Edit::read(TEXT).unwrap();

        assert_eq!(edit.file, Path::new("crates/a.rs"));
        assert_eq!((edit.before.as_str(), edit.after.as_str()), ("    one\n", "    two\n"));
        for word in ["Fix it", "`crates/b.rs`: open `crates/a.rs`", "Before:", "After:"] {
            assert!(Edit::read(&TEXT.replace(word, "")).is_err(), "without {word}");
        }
        assert!(Edit::read(&TEXT.replace("two", "one")).is_err());
    }

    #[test]
    fn the_edit_is_made_where_its_before_stands_once() {
        let edit = Edit::read(TEXT).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("crates")).unwrap();
        let file = folder.path().join("crates/a.rs");

        fs::write(&file, "fn a() {\n    one\n}\n").unwrap();
        edit.make(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "fn a() {\n    two\n}\n");

        assert!(edit.make(folder.path()).is_err(), "not twice");
        edit.take_back(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "fn a() {\n    one\n}\n");
        fs::write(&file, "    one\n    one\n").unwrap();
        assert!(edit.make(folder.path()).is_err(), "which one?");
    }

    #[test]
    fn headings_spans_and_sections_are_found() {
        assert_eq!(headings(TEXT).collect::<Vec<_>>(), ["Guide", "6. Fix it", "7. Next"]);
        assert!(code_spans(TEXT).any(|span| span == "long\nspan"));
        assert_eq!(code_spans(TEXT).last(), Some("another"));
        assert!(section(TEXT, "Next").unwrap().contains("another"));
        assert!(!section(TEXT, "Fix it").unwrap().contains("another"));
        let languages: Vec<&str> = all_blocks(TEXT).map(|block| block.language).collect();
        assert_eq!(languages, ["rust", "rust", "sh"]);
        assert_eq!(blocks(TEXT, "sh").collect::<Vec<_>>(), ["# no heading\n"]);
    }
}
