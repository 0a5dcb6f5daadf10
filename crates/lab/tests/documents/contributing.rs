//! Checks that the code which CONTRIBUTING.md names is there. It may be code of tests.

use flash_sale_lab::guide::drift::rust_files;

use crate::{CONTRIBUTING, read, root};

/// Its blocks of code show files that a contributor makes. Its sentences name what is there.
#[test]
fn what_the_page_for_contributors_names_stands_in_the_tree() {
    let page = read(CONTRIBUTING);
    assert_eq!(unknown_names(&page), Vec::<String>::new());

    // Three wrong names: one that its own file doesn't have, one that no file has, and one of which
    // a part is wrong.
    for (word, other) in [
        ("`THAT_DO_NOT_OVERSELL`", "`WAYS`"),
        ("`may_refuse`", "`may_confuse`"),
        ("`CheckFindings::report`", "`CheckFindings::repeat`"),
    ] {
        assert!(page.contains(word), "{word}");
        assert_eq!(unknown_names(&page.replacen(word, other, 1)).len(), 1, "{other}");
    }
}

/// The names of code that no file has. For "`name` in `file`", the names that this file doesn't have.
fn unknown_names(page: &str) -> Vec<String> {
    let mut files = rust_files(&root().join("crates")).unwrap();
    files.retain(|path| !path.iter().any(|part| part.to_string_lossy().starts_with("documents")));
    let codes: Vec<String> = files.iter().map(read).collect();
    let is_name = |span: &str| {
        let letters = span.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == ':');
        letters && (span.contains(['_', ':']) || span.starts_with(char::is_uppercase))
    };
    let has = |code: &str, name: &str| name.split("::").all(|part| code.contains(part));

    let mut unknown = Vec::new();
    for paragraph in page.split("```").step_by(2).flat_map(|prose| prose.split("\n\n")) {
        let parts: Vec<&str> = paragraph.split('`').collect();
        for (index, name) in parts.iter().enumerate().skip(1).step_by(2).filter(|(_, span)| is_name(span)) {
            let file =
                parts.get(index + 1).filter(|between| between.trim() == "in").map(|_| parts[index + 2]);
            let is_there = match file.filter(|file| file.starts_with("crates/")) {
                Some(file) => has(&read(file), name),
                None => codes.iter().any(|code| has(code, name)),
            };
            if !is_there {
                unknown.push((*name).to_owned());
            }
        }
    }
    unknown
}
