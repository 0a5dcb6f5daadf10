//! The edits of which the walkthrough shows that they are not enough. The section "Fix it" has a part for each of them.
//! The part names a file, shows the edit in a block `diff`, and shows what `make check` prints in a block `check`.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use super::{Edit, FIX_IT, blocks, rust_file_spans, section};

/// An edit that does not repair the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongFix {
    /// The heading of its part.
    pub title: String,
    /// The edit.
    pub edit: Edit,
    /// What `make check` prints after the edit.
    pub printed: String,
}

impl WrongFix {
    /// Reads all wrong fixes of the walkthrough, in their order.
    ///
    /// # Errors
    /// When the walkthrough shows none, or when a part lacks its file, its one edit or its one output.
    pub fn all(guide: &str) -> anyhow::Result<Vec<Self>> {
        let section = section(guide, FIX_IT).context("it has no section \"Fix it\"")?;
        let parts = section.split("\n### ").filter(|part| blocks(part, "diff").next().is_some());
        let all: Vec<Self> = parts.map(Self::read).collect::<anyhow::Result<_>>()?;
        ensure!(!all.is_empty(), "its section \"Fix it\" shows no edit in a block diff");
        Ok(all)
    }

    fn read(part: &str) -> anyhow::Result<Self> {
        let title = part.lines().next().unwrap_or_default().to_owned();
        let file =
            rust_file_spans(part).next().with_context(|| format!("its {title:?} names no file to edit"))?;
        let diff = only_block(part, "diff")?;
        let edit = Edit { file: PathBuf::from(file), before: side(diff, '+')?, after: side(diff, '-')? };
        ensure!(edit.before != edit.after, "its {title:?} changes nothing");
        Ok(Self { edit, printed: only_block(part, "check")?.to_owned(), title })
    }
}

/// The block in this language, of which the part has exactly one.
fn only_block<'a>(part: &'a str, language: &'a str) -> anyhow::Result<&'a str> {
    let found: Vec<&str> = blocks(part, language).collect();
    let title = part.lines().next().unwrap_or_default();
    ensure!(found.len() == 1, "its {title:?} should have exactly one block {language}");
    Ok(found[0])
}

/// One side of a diff: all its lines but those that begin with `other`, without their first column.
fn side(diff: &str, other: char) -> anyhow::Result<String> {
    let mut side = String::new();
    for line in diff.lines() {
        ensure!(
            line.is_empty() || line.starts_with(['+', '-', ' ']),
            "a line of a diff begins with +, - or a blank, and not so: {line}"
        );
        if !line.starts_with(other) {
            side.push_str(line.get(1..).unwrap_or_default());
            side.push('\n');
        }
    }
    Ok(side)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const TEXT: &str = "# Guide\n\n## 6. Fix it\n\nNot `crates/b.rs`.\n\n### 6.1 A mutex\n\nIn `crates/a.rs`:\n\n\
        ```diff\n     fn a() {\n-        one\n+        two\n\n     }\n```\n\n\
        ```check\nOVERSOLD\n```\n\n### 6.2 The fix\n\nOpen `crates/c.rs`.\n\n## 7. Next\n";

    #[test]
    fn a_wrong_fix_is_what_its_part_says() {
        let [wrong] = WrongFix::all(TEXT).unwrap().try_into().unwrap();

        assert_eq!((wrong.title.as_str(), wrong.printed.as_str()), ("6.1 A mutex", "OVERSOLD\n"));
        assert_eq!(wrong.edit.file, Path::new("crates/a.rs"));
        assert_eq!(wrong.edit.before, "    fn a() {\n        one\n\n    }\n");
        assert_eq!(wrong.edit.after, "    fn a() {\n        two\n\n    }\n");
    }

    #[test]
    fn a_part_that_lacks_something_is_noticed() {
        for (word, instead) in [
            ("Fix it", ""),
            ("`crates/a.rs`", "a file"),
            ("```check", "```text"),
            ("```diff", "```rust"),
            ("+        two\n", ""),
            ("-        one\n+        two", "         one"),
            ("\n+ ", "\nplus "),
        ] {
            let changed = TEXT.replace(word, instead);
            assert_ne!(changed, TEXT, "{word:?}");
            let is_read = WrongFix::all(&changed).is_ok();
            // A diff that only takes a line away is a diff.
            assert_eq!(is_read, word == "+        two\n", "{word:?}");
        }
    }
}
