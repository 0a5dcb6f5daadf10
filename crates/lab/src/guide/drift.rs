//! Checks that a document is still true of the tree. Each function returns, in words, what is not true.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::wrong_fix::WrongFix;
use super::{Edit, GUIDE, blocks, code_spans, headings, is_path, links};

/// Names that the walkthrough explains although no code here uses them.
const FOREIGN_SYMBOLS: [&str; 4] = [
    "deadlock_timeout", // PostgreSQL
    "lock",             // sea_orm::QuerySelect
    "lock_with_behavior",
    "LockBehavior::SkipLocked",
];

/// Files whose strings name the exercise's code. A name in such a string doesn't mean that the code exists.
const TALKERS: [&str; 2] = ["crates/lab/src/guide", "crates/lab/src/hint.rs"];

/// Everything in the walkthrough that isn't true any more, the edit included.
///
/// # Errors
/// When the walkthrough asks for no edit, or warns of none, when the file of an edit isn't there, or when the tree can't
/// be read.
pub fn all(root: &Path, guide: &str) -> anyhow::Result<Vec<String>> {
    let edit = Edit::read(guide).context(GUIDE)?;
    let mut problems = paths(root, GUIDE, guide);
    problems.extend(symbols(root, GUIDE, guide)?);
    problems.extend(code(root, GUIDE, guide, &edit)?);
    problems.extend(wrong_fixes(root, guide)?);
    problems.extend(before(root, &edit)?);
    Ok(problems)
}

/// Paths and links that lead nowhere.
pub fn paths(root: &Path, document: &str, text: &str) -> Vec<String> {
    let anchors: HashSet<String> = headings(text).map(anchor).collect();
    let leads_somewhere = |target: &&str| match target.strip_prefix('#') {
        Some(name) => anchors.contains(name),
        None => root.join(target.split('#').next().unwrap_or_default().trim_end_matches('/')).exists(),
    };
    let targets = code_spans(text).filter(|span| is_path(span)).chain(links(text));
    targets
        .filter(|target| !leads_somewhere(target))
        .map(|target| format!("{document} names {target}, which isn't there"))
        .collect()
}

/// Functions, types, columns and settings that a document names, and that no code has.
///
/// # Errors
/// When the tree can't be read.
pub fn symbols(root: &Path, document: &str, text: &str) -> io::Result<Vec<String>> {
    let sources = sources(root)?;
    let files: Vec<HashSet<&str>> = sources.iter().map(|source| words(source)).collect();
    let exists = |symbol: &str| {
        let parts: Vec<&str> = symbol.split(['.', ':']).filter(|part| !part.is_empty()).collect();
        files.iter().any(|words| parts.iter().all(|part| words.contains(part)))
    };
    let unknown = code_spans(text)
        .filter_map(as_symbol)
        .filter(|symbol| !FOREIGN_SYMBOLS.contains(symbol) && !exists(symbol));
    Ok(unknown.map(|symbol| format!("{document} names `{symbol}`, which no code has")).collect())
}

/// Blocks of Rust that don't stand in the tree. The two blocks of the edit are not looked for.
///
/// # Errors
/// When the tree can't be read.
pub fn code(root: &Path, document: &str, text: &str, edit: &Edit) -> io::Result<Vec<String>> {
    let sources: Vec<String> = sources(root)?.iter().map(|source| squeeze(source)).collect();
    let missing = blocks(text, "rust")
        .filter(|block| *block != edit.before && *block != edit.after)
        .filter(|block| !sources.iter().any(|source| source.contains(&squeeze(block))));
    Ok(missing.map(|block| format!("{document} shows code that isn't there:\n{block}")).collect())
}

/// Wrong fixes whose code before the edit doesn't stand in the tree exactly once.
///
/// # Errors
/// When the walkthrough shows no wrong fix, or when a file that it names isn't there.
pub fn wrong_fixes(root: &Path, guide: &str) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for WrongFix { title, edit, .. } in WrongFix::all(guide).context(GUIDE)? {
        let count = edit.count(root, &edit.before)?;
        if count != 1 {
            let file = edit.file.display();
            problems.push(format!(
                "{GUIDE}'s {title:?} edits code that stands {count} times in {file}:\n{}",
                edit.before
            ));
        }
    }
    Ok(problems)
}

/// Checks that the tree is as shipped at the place of the edit: the code before the edit stands there exactly once.
///
/// # Errors
/// When the file can't be read.
pub fn before(root: &Path, edit: &Edit) -> anyhow::Result<Vec<String>> {
    let file = edit.file.display();
    let problem = match (edit.count(root, &edit.before)?, edit.count(root, &edit.after)?) {
        (1, _) => return Ok(Vec::new()),
        (0, 1..) => format!("{file} has {GUIDE}'s fix already. This needs the tree as shipped: git stash"),
        (0, 0) => format!(
            "{file} has neither the code before {GUIDE}'s edit nor the one after it. If you have edited it: \
             git stash. If not, the two have drifted apart; {GUIDE} says:\n{}",
            edit.before
        ),
        (count, _) => format!("the code before {GUIDE}'s edit stands {count} times in {file}"),
    };
    Ok(vec![problem])
}

/// The heading as it stands in a link: lower case, without punctuation, words joined by hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The span, if it is a name of Rust or SQL; `None` for a command, a path or a piece of SQL.
fn as_symbol(span: &str) -> Option<&str> {
    let name = span.strip_suffix("()").unwrap_or(span);
    let is_name = name.starts_with(char::is_alphabetic)
        && name.chars().all(|it| it.is_ascii_alphanumeric() || ['_', ':', '.'].contains(&it));
    // SELECT and similar words are keywords, but RACE_WINDOW_MS is a setting.
    let is_keyword = !name.contains('_') && !name.contains(char::is_lowercase);
    (is_name && !is_keyword && !is_path(name)).then_some(name)
}

/// The words of the code. Lines that hold only a comment don't count.
fn words(source: &str) -> HashSet<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|it: char| !it.is_ascii_alphanumeric() && it != '_')).collect()
}

/// The code without indentation and empty lines: a block of the document may show the inside of a function.
fn squeeze(code: &str) -> String {
    code.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The texts of all source files of our programs.
fn sources(root: &Path) -> io::Result<Vec<String>> {
    let mut files = rust_files(&root.join("crates"))?;
    files.extend(rust_files(&root.join("migration"))?);
    let is_source = |path: &&PathBuf| {
        let path = path.strip_prefix(root).unwrap_or(path);
        path.iter().any(|part| part == "src")
            && !TALKERS
                .iter()
                .any(|talker| path.starts_with(talker) || path.with_extension("") == Path::new(talker))
    };
    files.iter().filter(is_source).map(fs::read_to_string).collect()
}

/// All files of Rust code in a folder and in the folders below it.
///
/// # Errors
/// When one of the folders can't be read.
pub fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_as_shipped_as_long_as_the_edit_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let text = |code: &str| code.to_owned();
        let edit = Edit { file: "a.rs".into(), before: text("    one(id)\n"), after: text("    two(id)\n") };
        let problem = |code: &str| {
            fs::write(folder.path().join("a.rs"), code).unwrap();
            before(folder.path(), &edit).unwrap().concat()
        };

        assert_eq!(problem("{\n    one(id)\n}"), "");
        assert!(problem("{\n    two(id)\n}").contains("fix already"));
        assert!(problem("{\n    one(key)\n}").contains("drifted apart"));
        assert!(problem("    one(id)\n    one(id)\n").contains("2 times"));
    }
}
