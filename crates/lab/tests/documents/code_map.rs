//! Checks the paths in the documents, and the code map of ARCHITECTURE.md. Each file and folder that they name is
//! there. The code map names each crate and each top folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use flash_sale_lab::guide::copy::OF_ANOTHER_REPOSITORY;
use flash_sale_lab::guide::{code_spans, section};

use crate::{DOCUMENTS, members, read, root};

/// The endings of file names, Rust's first. A name with a slash is a path even without such an ending.
pub const ENDINGS: [&str; 12] =
    [".rs", ".toml", ".lock", ".md", ".sh", ".py", ".yml", ".json", ".conf", ".html", ".css", ".js"];

#[test]
fn every_file_and_folder_that_a_document_names_is_there() {
    let tree = tree();

    for document in DOCUMENTS {
        assert_eq!(missing(&read(document), &tree), Vec::<String>::new(), "{document}");
    }
    assert_eq!(missing_in_rows(&code_map(), &tree), Vec::<String>::new(), "the code map of ARCHITECTURE.md");
}

#[test]
fn every_crate_and_every_top_folder_is_in_the_code_map() {
    assert_eq!(left_out(&code_map()), Vec::<String>::new());
}

/// Changes each name of the code map by one letter. Then takes away, for each crate and top folder, all
/// lines that name it.
#[test]
fn one_wrong_or_missing_name_in_the_code_map_is_noticed() {
    let (map, tree) = (code_map(), tree());
    let (mut changed, mut removed) = (0, 0);

    for span in rows(&map).flatten() {
        let wrong = map.replacen(&format!("`{span}`"), &format!("`x{span}`"), 1);
        assert_ne!(missing_in_rows(&wrong, &tree), Vec::<String>::new(), "x{span}");
        changed += 1;
    }
    for room in members().into_iter().chain(top_folders()) {
        let is_of_it =
            |line: &&str| line.contains(&format!("`{room}`")) || line.contains(&format!("`{room}/"));
        let without: String =
            map.lines().filter(|line| !is_of_it(line)).map(|line| format!("{line}\n")).collect();
        assert!(left_out(&without).contains(&room), "{room}");
        removed += 1;
    }
    assert!(changed > 40 && removed > 10, "{changed} {removed}");
}

fn code_map() -> String {
    section(&read("ARCHITECTURE.md"), "Code map").expect("ARCHITECTURE.md has a section Code map").to_owned()
}

/// The paths that a text names, but that aren't there. A path may begin at any folder: `pages/shop.rs`.
fn missing(text: &str, tree: &BTreeSet<String>) -> Vec<String> {
    let is_there = |path: &str| {
        let path = path.trim_end_matches('/');
        tree.contains(path) || tree.iter().any(|known| known.ends_with(&format!("/{path}")))
    };
    code_spans(text).filter(|span| is_path(span) && !is_there(span)).map(str::to_owned).collect()
}

/// The paths of the code map that aren't there. A path is whole, or stands beside the path before it in its row.
fn missing_in_rows(map: &str, tree: &BTreeSet<String>) -> Vec<String> {
    let mut missing = Vec::new();
    for row in rows(map) {
        let mut folder = "";
        for span in row {
            let path = span.trim_end_matches('/');
            if tree.contains(path) {
                folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            } else if !tree.contains(&format!("{folder}/{path}")) {
                missing.push(span.to_owned());
            }
        }
    }
    missing
}

/// The crates and top folders of which a code map names nothing.
fn left_out(map: &str) -> Vec<String> {
    let named: Vec<&str> = rows(map).flatten().collect();
    let is_named = |room: &str| {
        named
            .iter()
            .any(|span| *span == room || span.strip_prefix(room).is_some_and(|it| it.starts_with('/')))
    };
    members().into_iter().chain(top_folders()).filter(|room| !is_named(room)).collect()
}

/// The code spans in the first cell of each row.
fn rows(map: &str) -> impl Iterator<Item = Vec<&str>> {
    let cells = map.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    cells.map(|(cell, _)| cell.split('`').step_by(2).filter(|span| !span.is_empty()).collect())
}

fn is_path(span: &str) -> bool {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "._-/".contains(character);
    let first = span.split('/').next().unwrap_or_default();
    let is_relative = !first.is_empty() && !ignored_by_git().contains(first);
    is_relative
        && span.chars().all(is_name)
        && (span.contains('/') || ENDINGS.iter().any(|ending| span.ends_with(ending)))
}

/// All files and folders, from the project's folder on. What only this machine has is left out.
pub fn tree() -> BTreeSet<String> {
    let mut tree = BTreeSet::new();
    add_to(&mut tree, Path::new(""), &ignored_by_git());
    tree
}

fn add_to(tree: &mut BTreeSet<String>, folder: &Path, ignored: &BTreeSet<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        let name = path.to_str().expect("our names are UTF-8").to_owned();
        if ignored.contains(&name) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            add_to(tree, &path, ignored);
        }
        tree.insert(name);
    }
}

/// The top folders that git knows: an editor may have put others there. In a copy without git, all top folders.
fn top_folders() -> BTreeSet<String> {
    let mut git = Command::new("git");
    for name in OF_ANOTHER_REPOSITORY {
        git.env_remove(name);
    }
    let listed = git.args(["ls-files", "--cached"]).current_dir(root()).output();
    let listed = listed.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    let paths: Vec<String> = listed.lines().map(str::to_owned).collect();
    let paths = if paths.is_empty() { tree().into_iter().collect() } else { paths };
    paths.iter().filter_map(|path| Some(path.split_once('/')?.0.to_owned())).collect()
}

fn ignored_by_git() -> BTreeSet<String> {
    let ignored = read(".gitignore");
    let names = ignored.lines().filter_map(|line| line.strip_prefix('/'));
    names.chain([".git"]).map(str::to_owned).collect()
}
