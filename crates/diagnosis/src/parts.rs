//! Finds out what a statement does from its words. It is no parser, because a learner may send anything, and it knows no
//! more of SQL than is needed: which tables a part reads or writes, which locks it takes, what its WHERE looks at.

use std::collections::BTreeSet;

use crate::deed::{
    Change, Deed, IfTaken, Isolation, NumberLock, RowLock, RowRead, RowWrite, Strength, WriteVerb,
};
use crate::sql::{Verb, Words};

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

/// A word, or what stands between two brackets.
enum Node<'a> {
    Word(&'a str),
    Group(Vec<Node<'a>>),
}

/// What this SQL does, in the order of its words.
pub(crate) fn deeds(sql: &str) -> Vec<Deed> {
    let words = Words::of(sql);
    let nodes = tree(&mut words.0.iter().map(String::as_str));
    let all: Vec<&str> = words.0.iter().map(String::as_str).collect();
    let mut deeds = match words.verb() {
        Verb::Begin => vec![Deed::Begin(isolation(&all))],
        Verb::Commit => vec![Deed::Commit],
        Verb::Rollback => vec![Deed::Rollback],
        Verb::Savepoint => vec![Deed::Savepoint],
        _ => of_other(&nodes, &all),
    };
    if deeds.is_empty() {
        deeds.push(Deed::Other);
    }
    deeds
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

/// Puts what stands between brackets together.
fn tree<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "(" => nodes.push(Node::Group(tree(words))),
            ")" => break,
            word => nodes.push(Node::Word(word)),
        }
    }
    nodes
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

/// `LOCK [TABLE] [ONLY] a, b IN … MODE`. Without a mode, it is ACCESS EXCLUSIVE.
fn lock_table(nodes: &[Node<'_>]) -> Vec<Deed> {
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

fn number_locks(nodes: &[Node<'_>], found: &mut Vec<Deed>) {
    for pair in nodes.windows(2) {
        let [Node::Word(function), Node::Group(arguments)] = pair else { continue };
        let is_lock = function.starts_with("pg_advisory_") || function.starts_with("pg_try_advisory_");
        if is_lock && !function.contains("unlock") {
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
    found.push(Deed::Write(RowWrite { table, verb, changes, conditions: conditions(part) }));
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
            let is_relative = has_word(&assignment[equals + 1..], &|word| word == column);
            Some(Change { column: column.to_owned(), is_relative })
        })
        .collect()
}

/// The columns behind WHERE.
fn conditions(part: &[Node<'_>]) -> BTreeSet<String> {
    let Some(place) = part.iter().position(|node| is_word(node, "where")) else { return BTreeSet::new() };
    let list = &part[place + 1..];
    let end = list.iter().position(|node| CLAUSES.iter().any(|word| is_word(node, word)));
    let mut columns = BTreeSet::new();
    columns_in(&list[..end.unwrap_or(list.len())], &mut columns);
    columns
}

fn columns_in(nodes: &[Node<'_>], columns: &mut BTreeSet<String>) {
    for (place, node) in nodes.iter().enumerate() {
        let word = match node {
            Node::Word(word) => *word,
            Node::Group(group) => {
                columns_in(group, columns);
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

/// `FOR NO KEY UPDATE OF a, b SKIP LOCKED`. Of several, the first one is taken.
fn row_lock<'a>(part: &[Node<'a>]) -> Option<(RowLock, Vec<&'a str>)> {
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

fn word_at<'a>(nodes: &[Node<'a>], place: usize) -> Option<&'a str> {
    match nodes.get(place) {
        Some(Node::Word(word)) => Some(word),
        _ => None,
    }
}

fn is_word(node: &Node<'_>, wanted: &str) -> bool {
    matches!(node, Node::Word(word) if *word == wanted)
}

fn words_of<'a>(nodes: &[Node<'a>]) -> impl Iterator<Item = &'a str> {
    nodes.iter().filter_map(|node| if let Node::Word(word) = node { Some(*word) } else { None })
}

fn has_word(nodes: &[Node<'_>], is_it: &dyn Fn(&str) -> bool) -> bool {
    nodes.iter().any(|node| match node {
        Node::Word(word) => is_it(word),
        Node::Group(group) => has_word(group, is_it),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str, lock: Option<(Strength, IfTaken)>) -> Deed {
        let lock = lock.map(|(strength, if_taken)| RowLock { strength, if_taken });
        Deed::Read(RowRead { table: table.to_owned(), lock })
    }

    fn write(table: &str, verb: WriteVerb, changes: &[(&str, bool)], conditions: &[&str]) -> Deed {
        let change = |(column, is_relative): &(&str, bool)| Change {
            column: (*column).to_owned(),
            is_relative: *is_relative,
        };
        Deed::Write(RowWrite {
            table: table.to_owned(),
            verb,
            changes: changes.iter().map(change).collect(),
            conditions: conditions.iter().map(|column| (*column).to_owned()).collect(),
        })
    }

    #[test]
    fn a_read_names_its_tables_and_the_lock_on_their_rows() {
        use IfTaken::{Fail, Skip, Wait};
        use Strength::{KeyShare, NoKeyUpdate, Share, Update};
        for (sql, expected) in [
            (r#"SELECT "id", "quantity" FROM "products" WHERE "id" = $1 LIMIT $2"#, None),
            (r#"SELECT "id" FROM "products" WHERE "id" = $1 LIMIT $2 FOR UPDATE"#, Some((Update, Wait))),
            ("SELECT 1 FROM products FOR UPDATE NOWAIT", Some((Update, Fail))),
            ("SELECT 1 FROM products FOR NO KEY UPDATE SKIP LOCKED", Some((NoKeyUpdate, Skip))),
            ("SELECT 1 FROM products FOR SHARE", Some((Share, Wait))),
            ("select 1 from public.products for key share", Some((KeyShare, Wait))),
        ] {
            assert_eq!(deeds(sql), [read("products", expected)], "{sql}");
        }
    }

    #[test]
    fn a_lock_of_one_table_is_none_of_another_one() {
        let lock = Some((Strength::Update, IfTaken::Wait));
        assert_eq!(
            deeds("SELECT * FROM products p JOIN orders AS o ON o.product_id = p.id FOR UPDATE OF p NOWAIT"),
            [read("products", Some((Strength::Update, IfTaken::Fail))), read("orders", None)]
        );
        assert_eq!(
            deeds("SELECT * FROM orders, products FOR UPDATE"),
            [read("orders", lock), read("products", lock)]
        );
        assert_eq!(
            deeds("SELECT quantity, (SELECT count(*) FROM orders) FROM products FOR UPDATE"),
            [read("orders", None), read("products", lock)],
            "the lock is none of the part in brackets"
        );
    }

    #[test]
    fn a_write_says_what_it_sets_and_what_it_looks_at() {
        use WriteVerb::{Delete, Insert, Update};
        for (sql, expected) in [
            (
                r#"UPDATE "products" SET "quantity" = "quantity" - $1 WHERE "products"."id" = $2"#,
                write("products", Update, &[("quantity", true)], &[]),
            ),
            (
                r#"UPDATE "products" SET "quantity" = $1 WHERE "products"."id" = $2"#,
                write("products", Update, &[("quantity", false)], &[]),
            ),
            (
                "UPDATE products AS p SET quantity = p.quantity - 1, version = p.version + 1
                 WHERE p.id = $1::uuid AND p.version = $2 RETURNING p.*",
                write("products", Update, &[("quantity", true), ("version", true)], &["version"]),
            ),
            (
                "UPDATE products SET quantity = greatest(quantity - 1, 0) WHERE id = $1 AND (quantity > 0)",
                write("products", Update, &[("quantity", true)], &["quantity"]),
            ),
            (
                r#"INSERT INTO "orders" ("product_id", "served_by") VALUES ($1, $2) RETURNING "id""#,
                write("orders", Insert, &[], &[]),
            ),
            ("DELETE FROM orders WHERE product_id = $1", write("orders", Delete, &[], &[])),
        ] {
            assert_eq!(deeds(sql), [expected], "{sql}");
        }
    }

    #[test]
    fn a_statement_of_several_parts_does_all_of_them() {
        let sql = "WITH sold AS (UPDATE products SET quantity = quantity - 1 WHERE id = $1 AND quantity > 0
                                 RETURNING id),
                        other AS MATERIALIZED (SELECT id FROM products FOR UPDATE)
                   INSERT INTO orders (product_id, served_by) SELECT id, $2 FROM sold
                   ON CONFLICT DO UPDATE SET served_by = $2 RETURNING *";
        assert_eq!(
            deeds(sql),
            [
                write("products", WriteVerb::Update, &[("quantity", true)], &["quantity"]),
                read("products", Some((Strength::Update, IfTaken::Wait))),
                write("orders", WriteVerb::Insert, &[], &[]),
            ]
        );
    }

    #[test]
    fn locks_of_tables_and_of_numbers_are_read() {
        let table = |mode: &str| Deed::LockTable { table: "products".to_owned(), mode: mode.to_owned() };
        assert_eq!(deeds("LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE"), [table("share row exclusive")]);
        assert_eq!(deeds("lock only public.products nowait"), [table("access exclusive")]);

        let number = |ends_with_transaction, is_constant| {
            let (is_tried, is_shared) = (false, false);
            Deed::LockNumber(NumberLock { ends_with_transaction, is_tried, is_shared, is_constant })
        };
        assert_eq!(deeds("SELECT pg_advisory_xact_lock(42)"), [number(true, true)]);
        assert_eq!(deeds("SELECT pg_advisory_lock(hashtextextended($1, 0))"), [number(false, false)]);
        assert_eq!(deeds("SELECT pg_advisory_unlock(42)"), [Deed::Other]);
    }

    #[test]
    fn a_transaction_begins_with_its_isolation_level() {
        for (sql, expected) in [
            ("BEGIN", None),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE", Some(Isolation::Serializable)),
            ("START TRANSACTION ISOLATION LEVEL REPEATABLE READ", Some(Isolation::RepeatableRead)),
        ] {
            assert_eq!(deeds(sql), [Deed::Begin(expected)], "{sql}");
        }
        let isolate = deeds("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        assert_eq!(isolate, [Deed::Isolate(Isolation::RepeatableRead)]);
        assert_eq!(deeds("COMMIT"), [Deed::Commit]);
        assert_eq!(deeds("SET LOCAL lock_timeout = '50ms'"), [Deed::Other]);
        assert_eq!(deeds("ROLLBACK TO SAVEPOINT a"), [Deed::Savepoint]);
        assert_eq!(deeds(""), [Deed::Other]);
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        for sql in [
            "((((",
            "))",
            "update",
            "update set",
            "insert into",
            "select from",
            "lock",
            "select from a.",
            "for update of",
            "with as (",
            "select * from (select 1 for update",
        ] {
            deeds(sql);
        }
    }
}
