//! The documents say what is true: files, code, commands and settings that they name are there.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Read, but not ours to explain.
const OTHERS_VARIABLES: [&str; 1] = ["PATH"];

const DOCUMENTS: [&str; 3] = ["README.md", "DETONADO.md", "ARCHITECTURE.md"];

#[test]
fn every_path_in_a_document_exists() {
    for document in DOCUMENTS {
        let text = read(document);
        let paths = code_spans(&text).filter(|span| is_path(span)).chain(links(&text));
        let mut seen = 0;
        for path in paths {
            assert!(root().join(path.trim_end_matches('/')).exists(), "{document} names {path}");
            seen += 1;
        }
        assert!(seen > 3, "{document}: {seen} paths");
    }
}

#[test]
fn every_block_of_code_in_the_walkthrough_stands_in_the_tree() {
    let sources: Vec<String> =
        rust_files(&root().join("crates")).iter().map(|path| squeeze(&read(path))).collect();
    let stands = |block: &str| sources.iter().any(|source| source.contains(&squeeze(block)));
    let guide = read("DETONADO.md");
    let blocks: Vec<&str> = blocks(&guide, "rust").collect();

    let (fix, others): (Vec<&str>, Vec<&str>) =
        blocks.iter().partition(|block| block.contains("fn get_for_purchase"));

    assert_eq!(fix.len(), 2, "before and after");
    // The learner may have replaced the one by the other, or by something else that is right.
    assert!(fix[0].contains("self.get_by_id(id)") && fix[1].contains("self.get_by_id_for_update(id)"));
    assert_eq!(fix[0].replace("get_by_id(id)", "get_by_id_for_update(id)"), fix[1], "one line is edited");
    assert!(others.len() >= 3);
    for block in others {
        assert!(stands(block), "not in the tree:\n{block}");
    }
}

#[test]
fn the_readme_gives_nothing_away() {
    let readme = read("README.md").to_lowercase().replace("race_window_ms", "");

    for word in
        ["lock", "race", "concurren", "for update", "toctou", "check-then-act", "isolation", "simultaneous"]
    {
        let word_starts =
            readme.match_indices(word).filter(|(at, _)| !readme[..*at].ends_with(char::is_alphabetic));
        assert_eq!(word_starts.count(), 0, "README.md says {word:?}");
    }
}

#[test]
fn every_command_is_in_the_readme_and_in_make_help() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| line.contains(" ## "))
        .filter_map(|line| line.split(':').next())
        .filter(|target| *target != "help")
        .collect();

    for document in DOCUMENTS {
        let text = read(document);
        let named = words_after(&text, "make ").into_iter().filter(|word| targets.contains(word));
        let unknown: Vec<&str> = code_spans(&text)
            .filter_map(|span| span.strip_prefix("make "))
            .filter(|target| !targets.contains(target.split(' ').next().unwrap_or_default()))
            .collect();
        assert!(unknown.is_empty(), "{document} names make {unknown:?}");
        if document == "README.md" {
            assert_eq!(named.collect::<BTreeSet<_>>(), targets, "the commands of README.md and Makefile");
        }
    }
}

#[test]
fn every_setting_is_in_the_code_the_readme_and_the_example() {
    let programs =
        rust_files(&root().join("crates")).into_iter().filter(|path| path.iter().any(|part| part == "src"));
    let compose = read("docker-compose.yml");
    let in_compose = words_after(&compose, "${").into_iter().filter(|name| *name != "COMPOSE_PROJECT_NAME");
    let in_code: BTreeSet<String> = programs
        .flat_map(|path| settings_read_by(&read(path)))
        .chain(in_compose.map(str::to_owned))
        .collect();
    let example = read(".env.example");
    let in_example: BTreeSet<String> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .filter(|(name, _)| !name.starts_with(' '))
        .map(|(name, _)| name.to_owned())
        .collect();
    let readme = read("README.md");
    let (_, settings) = readme.split_once("## Settings").expect("README.md has a section Settings");
    let in_readme: BTreeSet<String> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();

    assert_eq!(in_readme, in_example, "README.md and .env.example");
    assert_eq!(in_readme, in_code, "README.md, and the code with docker-compose.yml");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks on one line, outside of blocks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.lines().flat_map(|line| line.split('`').skip(1).step_by(2)))
}

fn is_path(span: &str) -> bool {
    let first = span.split('/').next().unwrap_or_default();
    ["crates", "migration", "templates", "static"].contains(&first)
        || span.ends_with(".md")
        || span == "Cargo.toml"
}

/// Targets of links and pictures within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http") && !target.starts_with('#'))
}

fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// Without indentation and empty lines: a block may show the inside of a function.
fn squeeze(code: &str) -> String {
    code.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

fn words_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let is_end = |character: char| !character.is_ascii_alphanumeric() && !"-_".contains(character);
    text.split(before).skip(1).filter_map(|rest| rest.split(is_end).next()).collect()
}

/// The first argument of each call of `flash_sale_core::environment` that reads a variable.
fn settings_read_by(code: &str) -> Vec<String> {
    let readers = ["optional_text(", "required_text(", "whole_number(", "milliseconds(", "flag(", "text("];
    let calls = readers.iter().flat_map(|reader| code.split(reader).skip(1));
    let first_arguments = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let is_name = |text: &&str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    first_arguments
        .filter(is_name)
        .filter(|name| !OTHERS_VARIABLES.contains(name))
        .map(str::to_owned)
        .collect()
}
