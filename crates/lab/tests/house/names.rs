//! Finds the types that each file defines. Types for tests are left out.

use std::collections::BTreeMap;
use std::path::Path;

use syn::Item;

use crate::imports::{is_for_tests, read_modules};

/// The names that a library wants in each file: sea-orm's entities and migrations have them.
const CALLED_SO_BY_A_LIBRARY: [&str; 3] = ["Migration", "Model", "Relation"];

/// The names of types that several files of a crate define, each with these files.
pub fn shared(src: &Path) -> BTreeMap<String, Vec<String>> {
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for (module, text) in read_modules(src) {
        // The program beside a library is a crate of its own.
        if module == ["main"] {
            continue;
        }
        for name in types(&syn::parse_file(&text).unwrap().items) {
            files.entry(name).or_default().push(module.join("::"));
        }
    }
    files.retain(|name, files| files.len() > 1 && !CALLED_SO_BY_A_LIBRARY.contains(&name.as_str()));
    files
}

fn types(items: &[Item]) -> Vec<String> {
    let name = |item: &Item| {
        let (attributes, name) = match item {
            Item::Struct(item) => (&item.attrs, &item.ident),
            Item::Enum(item) => (&item.attrs, &item.ident),
            Item::Trait(item) => (&item.attrs, &item.ident),
            Item::Type(item) => (&item.attrs, &item.ident),
            _ => return None,
        };
        (!attributes.iter().any(is_for_tests)).then(|| name.to_string())
    };
    items.iter().filter_map(name).collect()
}
