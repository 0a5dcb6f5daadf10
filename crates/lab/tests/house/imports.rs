//! Finds which files of a crate import which others. It reads each `use` and each path in the code, but leaves out
//! code that is only for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Macro, Meta, UseTree};

/// A module, as the path of its names from the crate's root.
pub type Module = Vec<String>;

/// The files of one crate, each with the files that it imports. A parent that only declares a module
/// does not import it.
pub struct Graph(BTreeMap<Module, BTreeSet<Module>>);

impl Graph {
    /// Reads all files below `src`.
    pub fn of(src: &Path) -> Self {
        let mut texts = read_modules(src);
        // A program beside a library is a crate of its own.
        let program = texts.remove(&vec!["main".to_owned()]);
        if let (Some(program), false) = (program, texts.contains_key(&Vec::new())) {
            texts.insert(Vec::new(), program);
        }
        Self::of_texts(&texts)
    }

    fn of_texts(texts: &BTreeMap<Module, String>) -> Self {
        let modules: BTreeSet<Module> = texts.keys().cloned().collect();
        let imports = texts.iter().map(|(module, text)| {
            let mut paths = Paths::default();
            paths.visit_file(&syn::parse_file(text).unwrap());
            let found = paths.0.iter().filter_map(|path| resolve(&modules, module, path));
            (module.clone(), found.filter(|found| found != module).collect())
        });
        Self(imports.collect())
    }

    /// The circles. Each is one way from a file back to itself, as a list of files.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for start in self.0.keys() {
            if !seen.contains(start)
                && let Some(way) = self.way_back(start)
            {
                seen.extend(way.iter().cloned());
                circles.push(way.iter().map(named).collect());
            }
        }
        circles
    }

    /// The shortest way from a file to itself.
    fn way_back(&self, start: &Module) -> Option<Vec<Module>> {
        let mut ways = vec![vec![start.clone()]];
        let mut visited = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in &ways {
                for next in &self.0[way.last()?] {
                    let further: Vec<Module> = way.iter().chain([next]).cloned().collect();
                    if next == start {
                        return Some(further);
                    }
                    if visited.insert(next.clone()) {
                        longer.push(further);
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

fn named(module: &Module) -> String {
    if module.is_empty() { "the crate's root".to_owned() } else { module.join("::") }
}

/// The texts of the files below `src`, by their modules.
pub fn read_modules(src: &Path) -> BTreeMap<Module, String> {
    let mut texts = BTreeMap::new();
    read_files(src, src, &mut texts);
    texts
}

fn read_files(src: &Path, folder: &Path, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(src, &path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = name.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
                module.pop();
            }
            texts.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The file that a path leads to. It is the longest part of the path that is a module.
fn resolve(modules: &BTreeSet<Module>, from: &Module, path: &[String]) -> Option<Module> {
    let mut rest = path;
    let mut at = from.clone();
    match path.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &path[1..];
        }
        "self" | "super" => {
            while let Some(first @ ("self" | "super")) = rest.first().map(String::as_str) {
                if first == "super" {
                    at.pop();
                }
                rest = &rest[1..];
            }
        }
        first => {
            at.push(first.to_owned());
            if !modules.contains(&at) {
                return None;
            }
            rest = &path[1..];
        }
    }
    for part in rest {
        at.push(part.clone());
        if !modules.contains(&at) {
            at.pop();
            break;
        }
    }
    Some(at)
}

/// Collects the paths of a file.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.0.push(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.0.push(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.0.push(path);
        self.0.retain(|path| path.len() > 1);
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Mod(item) => item.attrs.as_slice(),
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        add_tree(&mut Vec::new(), &item.tree, &mut self.0);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.0.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }
}

/// Whether code with this attribute is compiled for tests alone.
pub fn is_for_tests(attribute: &Attribute) -> bool {
    let is_test = |condition: syn::Path| condition.is_ident("test");
    // Other conditions may be more than a name.
    attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(is_test)
}

fn add_tree(before: &mut Vec<String>, tree: &UseTree, paths: &mut Vec<Vec<String>>) {
    let with = |last: &syn::Ident| before.iter().cloned().chain([last.to_string()]).collect();
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            add_tree(before, &path.tree, paths);
            before.pop();
        }
        UseTree::Name(name) => paths.push(with(&name.ident)),
        UseTree::Rename(rename) => paths.push(with(&rename.ident)),
        UseTree::Glob(_) => paths.push(before.clone()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| add_tree(before, tree, paths)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let module =
            |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Graph::of_texts(&files.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect())
            .circles()
    }

    #[test]
    fn a_circle_is_found_in_each_way_to_write_it() {
        for (name, there, back) in [
            ("imports", "use crate::b::B;", "use crate::a::A;"),
            ("imports of several", "use crate::{b::{self, B}, c};", "use super::a;"),
            ("a path in the code", "fn f() { crate::b::f() }", "use crate::a::*;"),
            ("a type", "fn f(_: crate::b::B) {}", "struct B(super::a::A);"),
            ("an attribute", "#[x(y(crate::b::f))] fn f() {}", "use crate::a::A;"),
            ("a path in a macro", "fn f() { println!(\"{}\", crate::b::f()) }", "pub use super::a::A as B;"),
        ] {
            let files = [("", "mod a; mod b; mod c;"), ("a", there), ("b", back), ("c", "")];
            assert_eq!(circles(&files), [["a", "b", "a"]], "{name}");
        }
        let parent = [("", "mod a;"), ("a", "mod b; fn f() { b::f() }"), ("a::b", "use super::A;")];
        assert_eq!(circles(&parent), [["a", "a::b", "a"]]);
        let root = [("", "mod a; pub use a::A;"), ("a", "use crate::A;")];
        assert_eq!(circles(&root), [["the crate's root", "a", "the crate's root"]]);
    }

    #[test]
    fn what_is_declared_or_only_for_tests_is_no_import() {
        let files = [
            ("", "pub mod a; pub mod b;"),
            ("a", "use crate::b::B; #[cfg(test)] mod tests { use super::*; }"),
            (
                "b",
                "//! As [`crate::a`].\n#[cfg(test)] mod tests { use crate::a::A; }\n#[cfg(test)] use crate::a::A;",
            ),
        ];
        assert_eq!(circles(&files), [] as [Vec<String>; 0]);
    }
}
