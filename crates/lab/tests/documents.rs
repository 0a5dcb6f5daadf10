//! Checks that the documents say what is true: the files, code, commands and settings that they name are there.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "documents/code_map.rs"]
mod code_map;
#[path = "documents/contributing.rs"]
mod contributing;
#[path = "documents/contributors_tools.rs"]
mod contributors_tools;
#[path = "documents/front_page.rs"]
mod front_page;
#[path = "documents/measured.rs"]
mod measured;
#[path = "documents/pictures.rs"]
mod pictures;
#[path = "documents/replica_settings.rs"]
mod replica_settings;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flash_sale_lab::commands::check::NEXT_SECTION;
use flash_sale_lab::guide::drift::{self, rust_files};
use flash_sale_lab::guide::{Edit, GUIDE, blocks, code_spans, headings};
use flash_sale_lab::hint::HINTS;

/// Variables that the code reads, but that aren't ours to explain.
const OTHERS_VARIABLES: [&str; 1] = ["PATH"];

const DOCUMENTS: [&str; 5] = ["README.md", "DETONADO.md", "ARCHITECTURE.md", "SECURITY.md", CONTRIBUTING];
const CONTRIBUTING: &str = "CONTRIBUTING.md";

#[test]
fn every_path_and_link_in_a_document_leads_somewhere() {
    for document in DOCUMENTS {
        assert_eq!(drift::paths(&root(), document, &read(document)), Vec::<String>::new());
    }
}

#[test]
fn every_name_and_block_of_code_in_the_walkthrough_stands_in_the_tree() {
    let guide = read(GUIDE);
    let edit = Edit::read(&guide).unwrap();

    assert_eq!(drift::symbols(&root(), GUIDE, &guide).unwrap(), Vec::<String>::new());
    assert_eq!(drift::code(&root(), GUIDE, &guide, &edit).unwrap(), Vec::<String>::new());
    assert_eq!(drift::wrong_fixes(&root(), &guide).unwrap(), Vec::<String>::new());
    // No more is asserted: the learner may have replaced the first call by the second, or by something else
    // that is right.
    assert!(
        edit.before.contains("self.get_by_id(id)") && edit.after.contains("self.get_by_id_for_update(id)")
    );
    assert_eq!(edit.before.replace("get_by_id(id)", "get_by_id_for_update(id)"), edit.after, "one line");
}

/// Replaces a word at one place by another word, for each word and for each place where it stands. The problem
/// must be noticed.
#[test]
fn one_changed_word_in_the_walkthrough_is_noticed() {
    let guide = read(GUIDE);
    let problems = |text: &str| drift::all(&root(), text).map_err(|error| error.to_string());
    // There is one problem when the learner has made the edit.
    let as_it_is = problems(&guide);

    for (word, times) in [
        ("get_for_purchase(product_id)", 1),
        ("product.quantity <= 0 {", 1),
        ("Duration::from_secs(3)", 1),
        ("lock_exclusive().one", 1),
        ("`get_for_purchase`", 2),
        ("`OrderService::create_order`", 1),
        ("`RETRY_AFTER_MS`", 1),
        ("`crates/web/src/checkout.rs`", 1),
        ("`crates/repositories/src/product_repository.rs`", 2),
        ("(#6-fix-it)", 1),
    ] {
        let places: Vec<usize> = guide.match_indices(word).map(|(at, _)| at).collect();
        assert!(places.len() >= times, "{word}: {places:?}");
        for at in places {
            let middle = at + word.len() / 2;
            let changed = format!("{}x{}", &guide[..middle], &guide[middle..]);
            assert_ne!(problems(&changed), as_it_is, "{word} at {at}");
        }
    }
}

#[test]
fn every_limit_stands_in_the_table_of_limits() {
    let files = [
        "crates/core/src/limits.rs",
        "crates/gateway/src/limits.rs",
        "crates/lab/src/supervisor/health_watch.rs",
    ];
    let limits = files.map(read).concat();
    let table = read("ARCHITECTURE.md");
    let mut count = 0;
    for line in limits.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, value) = line.split_once(": ").unwrap();
        if name.starts_with("LONGEST") {
            continue;
        }
        let value = value.split_once(" = ").unwrap().1.trim_end_matches([';', ')']);
        let value = match value.strip_prefix("Duration::from_").and_then(|time| time.split_once('(')) {
            Some(("secs", seconds)) => format!("{seconds} s"),
            Some((_, milliseconds)) => format!("{milliseconds} ms"),
            None => value.to_owned(),
        };
        assert!(table.contains(&format!("| `{name}` | {value} |")), "{name}: {value}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn what_the_hints_name_is_there() {
    let guide = read(GUIDE);
    let titles: Vec<&str> = headings(&guide).collect();
    for hint in HINTS {
        assert_eq!(drift::paths(&root(), "a hint", hint), Vec::<String>::new());
        assert_eq!(drift::symbols(&root(), "a hint", hint).unwrap(), Vec::<String>::new());

        let (_, pointers) = hint.rsplit_once("\n\n").unwrap();
        let sections: Vec<&str> = pointers.split('"').skip(1).step_by(2).collect();
        assert!(pointers.contains("`DETONADO.md`") && !sections.is_empty(), "{pointers}");
        for section in sections {
            assert!(titles.contains(&section), "no section {section}");
        }
    }
    let (guide_file, next) = NEXT_SECTION;
    assert!(guide_file == GUIDE && titles.contains(&next), "what is read after a fix: {next}");
    for command in HINTS.iter().flat_map(|hint| words_after(hint, "`make ")) {
        assert!(read("Makefile").contains(&format!("\n{command}:")), "make {command}");
    }
}

#[test]
fn the_readme_gives_nothing_away() {
    let readme =
        read("README.md").to_lowercase().replace("race_window_ms", "").replace("| `make race` |", "");

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
        let typed = blocks(&text, "sh").flat_map(str::lines).filter_map(|line| line.strip_prefix("make "));
        for line in typed {
            let mut goals = line.split(' ').take_while(|word| !word.starts_with('-') && !word.contains('='));
            assert!(goals.all(|goal| targets.contains(goal)), "{document}: make {line}");
        }
        if document == "README.md" {
            assert_eq!(named.collect::<BTreeSet<_>>(), targets, "the commands of README.md and Makefile");
        }
    }
}

#[test]
fn every_setting_is_in_the_code_the_readme_and_the_example() {
    // The testbed's `testing` is a part of tests. No program reads its settings.
    let programs = rust_files(&root().join("crates"))
        .unwrap()
        .into_iter()
        .filter(|path| path.iter().any(|part| part == "src") && !path.iter().any(|part| part == "testing"));
    let compose = read("docker-compose.yml");
    // The commands for containers set the others.
    let is_setting = |name: &&str| *name != "COMPOSE_PROJECT_NAME" && !name.ends_with("_DATABASE");
    let in_compose = words_after(&compose, "${").into_iter().filter(is_setting);
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

/// A newcomer knows a shop. Only people who read the code need to know that a lab runs it.
#[test]
fn no_message_to_a_person_names_the_lab() {
    let sources = rust_files(&root().join("crates/lab/src")).unwrap();
    for path in sources.into_iter().filter(|path| !path.iter().any(|part| part == "testing")) {
        for (number, line) in read(&path).lines().enumerate() {
            // clap prints the documentation comments of arguments.
            let is_comment = line.trim_start().starts_with("//");
            let said = line.split('"').skip(1).step_by(2).filter(|_| !is_comment);
            let names_it = |text: &str| {
                let words = text.split(|letter: char| !letter.is_alphanumeric());
                words
                    .collect::<Vec<_>>()
                    .windows(2)
                    .any(|pair| matches!(pair, ["the" | "this" | "another", "lab"]))
            };
            // This text tells the rows of the lab's products apart. No person reads it.
            let is_data = line.starts_with("const AUTHOR: ");
            assert!(
                is_data || said.into_iter().all(|text| !names_it(text)),
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
}

/// If one of the methods that read the environment were forgotten, what ARCHITECTURE.md says would not be true.
#[test]
fn clippy_knows_each_way_to_read_the_environment() {
    let clippy = read("clippy.toml");

    for way in ["var", "var_os", "vars", "vars_os"] {
        assert!(clippy.contains(&format!("path = \"std::env::{way}\"")), "{way}");
    }
    assert!(
        read("ARCHITECTURE.md")
            .contains("the only code that reads environment variables (clippy enforces it")
    );
}

/// Without these lints, a crate could have `unsafe` and undocumented items.
#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("\nunsafe_code = \"forbid\" "));

    for member in members() {
        assert!(read(format!("{member}/Cargo.toml")).contains("\n[lints]\nworkspace = true\n"), "{member}");
    }
}

/// The folders of the workspace's crates.
fn members() -> Vec<String> {
    let workspace = read("Cargo.toml");
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let names = members.split(',').map(|member| member.trim().trim_matches('"').to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
