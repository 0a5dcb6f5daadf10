//! Finds out what a statement does from its words. It is no parser, because a learner may send anything, and it knows no
//! more of SQL than is needed: which tables a part reads or writes, which locks it takes, what its WHERE looks at.

mod lock_words;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

use crate::deed::{Change, Deed, Isolation, RowRead, RowWrite, WriteVerb};
use crate::sql::{Verb, Words};
use lock_words::{lock_table, number_locks, row_lock};
use tree::{Node, has_word, is_word, tree, word_at, words_of};

/// Words that end a list of tables, of assignments or of conditions.
const CLAUSES: [&str; 16] = [
    "where",
    "group",
    "having",
    "window",
    "union",
    "intersect",
    "except",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "returning",
    "set",
    "on",
    "from",
];
/// Words of a condition that are no columns.
const NO_COLUMNS: [&str; 14] = [
    "and", "or", "not", "is", "null", "in", "any", "all", "exists", "true", "false", "between", "like", "as",
];
/// The row's own id. A condition on it only says which row is meant.
const IDS: [&str; 2] = ["id", "product_id"];

/// What this SQL does, in the order of its words.
pub(crate) fn deeds(sql: &str) -> Vec<Deed> {
    let words = Words::of(sql);
    let nodes = tree(&mut words.0.iter().map(String::as_str));
    let all: Vec<&str> = words.0.iter().map(String::as_str).collect();
    let mut deeds = match words.verb() {
        Verb::Begin => vec![Deed::Begin(isolation(&all))],
        Verb::Commit => vec![Deed::Commit],
        Verb::Rollback => vec![Deed::Rollback],
        Verb::Savepoint => vec![savepoint(&all)],
        _ => of_other(&nodes, &all),
    };
    if deeds.is_empty() {
        deeds.push(Deed::Other);
    }
    deeds
}

/// `SAVEPOINT a`, `RELEASE [SAVEPOINT] a`, `ROLLBACK TO [SAVEPOINT] a`
fn savepoint(words: &[&str]) -> Deed {
    let name = words.iter().rev().find(|word| **word != ";").copied().unwrap_or_default();
    match words.first() {
        Some(&"savepoint") => Deed::Savepoint(name.to_owned()),
        Some(&"release") => Deed::Release,
        _ => Deed::BackTo(name.to_owned()),
    }
}

fn of_other(nodes: &[Node<'_>], all: &[&str]) -> Vec<Deed> {
    match all {
        ["lock", ..] => lock_table(nodes),
        ["set", ..] => isolation(all).map(Deed::Isolate).into_iter().collect(),
        _ => {
            let mut found = Vec::new();
            number_locks(nodes, &mut found);
            parts(nodes, &with_names(nodes), &mut found);
            found
        }
    }
}

fn isolation(words: &[&str]) -> Option<Isolation> {
    let has = |pair: [&str; 2]| words.windows(2).any(|window| window == pair);
    match () {
        () if words.contains(&"serializable") => Some(Isolation::Serializable),
        () if has(["repeatable", "read"]) => Some(Isolation::RepeatableRead),
        () if has(["read", "committed"]) || has(["read", "uncommitted"]) => Some(Isolation::ReadCommitted),
        () => None,
    }
}

/// The names of the parts of a `WITH`, which are no tables.
fn with_names<'a>(nodes: &[Node<'a>]) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (place, node) in nodes.iter().enumerate() {
        let Node::Group(group) = node else { continue };
        names.extend(with_names(group));
        let before: Vec<&str> = words_of(&nodes[place.saturating_sub(3)..place]).collect();
        let before = before.strip_suffix(&["materialized"]).unwrap_or(&before);
        let before = before.strip_suffix(&["not"]).unwrap_or(before);
        if let [.., name, "as"] = before {
            names.insert(*name);
        }
    }
    names
}

/// Goes through the parts on this level, each from its verb to the next one, and first through what is in brackets.
fn parts(nodes: &[Node<'_>], with_names: &BTreeSet<&str>, found: &mut Vec<Deed>) {
    for node in nodes {
        if let Node::Group(group) = node {
            parts(group, with_names, found);
        }
    }
    let verbs: Vec<usize> = (0..nodes.len()).filter(|place| is_verb(nodes, *place)).collect();
    for (index, begin) in verbs.iter().enumerate() {
        let end = verbs.get(index + 1).copied().unwrap_or(nodes.len());
        let part = &nodes[*begin..end];
        match word_at(part, 0) {
            Some("insert") => write(part, WriteVerb::Insert, "into", found),
            Some("delete") => write(part, WriteVerb::Delete, "from", found),
            Some("update") => {
                write(part, WriteVerb::Update, "update", found);
                reads(part, with_names, found);
            }
            _ => reads(part, with_names, found),
        }
    }
}

/// Whether a part begins here. The `UPDATE` of `FOR UPDATE` and of `DO UPDATE` begins none.
fn is_verb(nodes: &[Node<'_>], place: usize) -> bool {
    let before = place.checked_sub(1).and_then(|before| word_at(nodes, before));
    match word_at(nodes, place) {
        Some("select" | "insert") => true,
        Some("update") => !matches!(before, Some("for" | "key" | "do" | "on")),
        Some("delete") => before != Some("on"),
        _ => false,
    }
}

fn write(part: &[Node<'_>], verb: WriteVerb, behind: &str, found: &mut Vec<Deed>) {
    let Some(place) = part.iter().position(|node| is_word(node, behind)) else { return };
    let Some((table, _)) = table_at(part, place + 1) else { return };
    let changes = if verb == WriteVerb::Update { changes(part) } else { Vec::new() };
    let (conditions, unchanged) = conditions(part);
    found.push(Deed::Write(RowWrite { table, verb, changes, conditions, unchanged }));
}

/// `SET a = …, b = …`
fn changes(part: &[Node<'_>]) -> Vec<Change> {
    let Some(set) = part.iter().position(|node| is_word(node, "set")) else { return Vec::new() };
    let list = &part[set + 1..];
    let end =
        list.iter().position(|node| ["where", "from", "returning"].iter().any(|word| is_word(node, word)));
    let list = &list[..end.unwrap_or(list.len())];
    let assignments = list.split(|node| is_word(node, ","));
    assignments
        .filter_map(|assignment| {
            let equals = assignment.iter().position(|node| is_word(node, "="))?;
            let column = word_at(assignment, equals.checked_sub(1)?)?;
            let has = |words: &[&str]| has_word(&assignment[equals + 1..], &|word| words.contains(&word));
            let (is_relative, is_conditional) = (has(&[column]), has(&["case"]));
            Some(Change { column: column.to_owned(), is_relative, is_conditional })
        })
        .collect()
}

/// The columns behind WHERE, and those of them that must have a certain value.
fn conditions(part: &[Node<'_>]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut columns, mut unchanged) = (BTreeSet::new(), BTreeSet::new());
    if let Some(place) = part.iter().position(|node| is_word(node, "where")) {
        let list = &part[place + 1..];
        let end = list.iter().position(|node| CLAUSES.iter().any(|word| is_word(node, word)));
        columns_in(&list[..end.unwrap_or(list.len())], &mut columns, &mut unchanged);
    }
    (columns, unchanged)
}

fn columns_in(nodes: &[Node<'_>], columns: &mut BTreeSet<String>, unchanged: &mut BTreeSet<String>) {
    for (place, node) in nodes.iter().enumerate() {
        let word = match node {
            Node::Word(word) => *word,
            Node::Group(group) => {
                columns_in(group, columns, unchanged);
                continue;
            }
        };
        let is_name = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
        // A function, or what stands before a point.
        let leads =
            nodes.get(place + 1).is_some_and(|next| matches!(next, Node::Group(_)) || is_word(next, "."));
        // A type: `$1::uuid`.
        let is_type = place > 0 && is_word(&nodes[place - 1], ":");
        if is_name && !leads && !is_type && !NO_COLUMNS.contains(&word) && !IDS.contains(&word) {
            columns.insert(word.to_owned());
            let is_value =
                |value: &str| value.starts_with(|first: char| first == '$' || first.is_ascii_digit());
            if word_at(nodes, place + 1) == Some("=") && word_at(nodes, place + 2).is_some_and(is_value) {
                unchanged.insert(word.to_owned());
            }
        }
    }
}

/// The tables behind FROM and JOIN, each with the lock that is taken on its rows.
fn reads(part: &[Node<'_>], with_names: &BTreeSet<&str>, found: &mut Vec<Deed>) {
    let (lock, of) = match row_lock(part) {
        Some((lock, of)) => (Some(lock), of),
        None => (None, Vec::new()),
    };
    let mut place = 0;
    let mut is_in_list = false;
    while let Some(node) = part.get(place) {
        match node {
            Node::Word("from" | "join") => is_in_list = true,
            Node::Word(",") if is_in_list => {}
            Node::Word(word) if CLAUSES.contains(word) => {
                is_in_list = false;
                place += 1;
                continue;
            }
            _ => {
                place += 1;
                continue;
            }
        }
        place += 1;
        let Some((table, behind)) = table_at(part, place) else { continue };
        place = behind;
        if with_names.contains(table.as_str()) {
            continue;
        }
        let alias = alias_at(part, behind);
        let is_meant =
            of.is_empty() || of.contains(&table.as_str()) || alias.is_some_and(|it| of.contains(&it));
        found.push(Deed::Read(RowRead { table, lock: lock.filter(|_| is_meant) }));
    }
}

/// The table whose name begins here, without its schema, and the place behind it. A function is none.
fn table_at(nodes: &[Node<'_>], mut place: usize) -> Option<(String, usize)> {
    while matches!(word_at(nodes, place), Some("only" | "lateral")) {
        place += 1;
    }
    let mut name = word_at(nodes, place)?;
    while word_at(nodes, place + 1) == Some(".") {
        place += 2;
        name = word_at(nodes, place)?;
    }
    let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    // What stands in brackets behind the name of INSERT's table are its columns.
    let is_inserted = place > 0 && nodes[..place].iter().any(|node| is_word(node, "into"));
    let is_function = !is_inserted && matches!(nodes.get(place + 1), Some(Node::Group(_)));
    (is_name && !is_function).then(|| (name.to_owned(), place + 1))
}

fn alias_at<'a>(nodes: &[Node<'a>], place: usize) -> Option<&'a str> {
    let place = if word_at(nodes, place) == Some("as") { place + 1 } else { place };
    word_at(nodes, place).filter(|word| !CLAUSES.contains(word))
}
