//! Checks that the arrows of the house point one way: between crates, and between the files of a crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod imports;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::Graph;

/// Each crate, and the crates that it may depend on. The shop's crates know nothing of the lab's. So an edit of the
/// exercise rebuilds none of the lab's crates, and the exercise's program has none of them in it.
const ORDER: [(&str, &[&str]); 14] = [
    ("crates/core", &[]),
    ("migration", &["core"]),
    ("crates/repositories", &["core"]),
    ("crates/services", &["core", "repositories"]),
    ("crates/http-guard", &["core"]),
    ("crates/web", &["core", "http-guard", "services"]),
    ("crates/testbed", &["core", "migration"]),
    ("crates/wiretap", &["core"]),
    ("crates/explorer", &["core", "migration", "testbed", "wiretap"]),
    ("crates/diagnosis", &["wiretap"]),
    ("crates/dashboard", &["core", "http-guard", "wiretap", "diagnosis"]),
    ("crates/gateway", &["core", "testbed"]),
    (
        "crates/lab",
        &["core", "migration", "testbed", "wiretap", "explorer", "diagnosis", "dashboard", "gateway"],
    ),
    ("crates/league", &["core", "testbed", "lab"]),
];

/// The crates that the tests of any crate may use as well.
const FOR_TESTS: [&str; 3] = ["testbed", "gateway", "wiretap"];

#[test]
fn no_crate_depends_on_one_that_stands_above_it() {
    let members: BTreeSet<String> = ORDER.iter().map(|(folder, _)| (*folder).to_owned()).collect();
    assert_eq!(members, folders_of_crates(), "the crates of the workspace");

    for (folder, allowed) in ORDER {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for (section, names) in own_dependencies(&manifest) {
            for name in names {
                let is_allowed = allowed.contains(&name.as_str())
                    || section == "[dev-dependencies]" && FOR_TESTS.contains(&name.as_str());
                assert!(is_allowed, "{folder} depends on {name} in {section}");
            }
        }
    }
}

#[test]
fn no_file_imports_one_that_leads_back_to_it() {
    let circles: Vec<String> = ORDER
        .iter()
        .flat_map(|(folder, _)| {
            Graph::of(&root().join(folder).join("src"))
                .circles()
                .into_iter()
                .map(move |circle| (folder, circle))
        })
        .map(|(folder, circle)| format!("{folder}: {}", circle.join(" → ")))
        .collect();

    assert!(circles.is_empty(), "files that import each other:\n{}", circles.join("\n"));
}

#[test]
fn no_name_of_a_type_stands_for_two_things_in_a_crate() {
    for (folder, _) in ORDER {
        let shared = names::shared(&root().join(folder).join("src"));

        assert!(shared.is_empty(), "{folder}: {shared:#?}");
    }
}

fn folders_of_crates() -> BTreeSet<String> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|entry| format!("crates/{}", entry.unwrap().file_name().to_str().unwrap()));
    crates.chain(["migration".to_owned()]).collect()
}

/// The crates of this workspace that a Cargo.toml names, by its sections.
fn own_dependencies(manifest: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections = BTreeMap::<String, Vec<String>>::new();
    let mut section = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.to_owned();
        } else if let Some(rest) = line.strip_prefix("flash-sale-") {
            let name = rest.split(['.', ' ', '=']).next().unwrap();
            sections.entry(section.clone()).or_default().push(name.to_owned());
        }
    }
    sections
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
