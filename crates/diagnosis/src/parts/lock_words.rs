//! The locks that a statement names: on tables, on numbers, and on the rows that it reads.

use super::tree::{Node, has_word, words_of};
use crate::deed::{Deed, IfTaken, NumberLock, RowLock, Strength};

/// `LOCK [TABLE] [ONLY] a, b IN … MODE`. Without a mode, it is ACCESS EXCLUSIVE.
pub(super) fn lock_table(nodes: &[Node<'_>]) -> Vec<Deed> {
    let words: Vec<&str> = words_of(nodes).collect();
    let (names, mode) = match words.iter().position(|word| *word == "in") {
        Some(place) => (&words[1..place], &words[place + 1..]),
        None => (&words[1..], [].as_slice()),
    };
    let mode: Vec<&str> = mode.iter().copied().take_while(|word| *word != "mode").collect();
    let mode = if mode.is_empty() { "access exclusive".to_owned() } else { mode.join(" ") };
    let names = names.strip_suffix(&["nowait"]).unwrap_or(names);
    let names = names.split(|word| *word == ",").filter_map(|name| name.last());
    names.map(|name| Deed::LockTable { table: (*name).to_owned(), mode: mode.clone() }).collect()
}

pub(super) fn number_locks(nodes: &[Node<'_>], found: &mut Vec<Deed>) {
    for pair in nodes.windows(2) {
        let [Node::Word(function), Node::Group(arguments)] = pair else { continue };
        let is_lock = function.starts_with("pg_advisory_") || function.starts_with("pg_try_advisory_");
        if is_lock && function.contains("unlock") {
            found.push(Deed::UnlockNumber);
        } else if is_lock {
            found.push(Deed::LockNumber(NumberLock {
                ends_with_transaction: function.contains("xact"),
                is_tried: function.starts_with("pg_try"),
                is_shared: function.contains("shared"),
                is_constant: !has_word(arguments, &names_something),
            }));
        }
    }
    for node in nodes {
        if let Node::Group(group) = node {
            number_locks(group, found);
        }
    }
}

/// Whether it is a parameter, or the column of an id.
fn names_something(word: &str) -> bool {
    word.starts_with('$') || word == "id" || word.ends_with("_id")
}

/// `FOR NO KEY UPDATE OF a, b SKIP LOCKED`. Of several, the first one is taken.
pub(super) fn row_lock<'a>(part: &[Node<'a>]) -> Option<(RowLock, Vec<&'a str>)> {
    let words: Vec<&str> =
        part.iter().map(|node| if let Node::Word(word) = node { word } else { "()" }).collect();
    let places = words.iter().enumerate().filter(|(_, word)| **word == "for");
    let (strength, rest) = places.into_iter().find_map(|(place, _)| match &words[place + 1..] {
        ["update", rest @ ..] => Some((Strength::Update, rest)),
        ["no", "key", "update", rest @ ..] => Some((Strength::NoKeyUpdate, rest)),
        ["share", rest @ ..] => Some((Strength::Share, rest)),
        ["key", "share", rest @ ..] => Some((Strength::KeyShare, rest)),
        _ => None,
    })?;
    let has = |wanted: &[&str]| rest.windows(wanted.len()).any(|window| window == wanted);
    let if_taken = match () {
        () if has(&["nowait"]) => IfTaken::Fail,
        () if has(&["skip", "locked"]) => IfTaken::Skip,
        () => IfTaken::Wait,
    };
    let of = match rest {
        ["of", names @ ..] => {
            let names = names.iter().copied();
            names
                .take_while(|name| !["nowait", "skip", "for"].contains(name))
                .filter(|name| *name != ",")
                .collect()
        }
        _ => Vec::new(),
    };
    Some((RowLock { strength, if_taken }, of))
}
