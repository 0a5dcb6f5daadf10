//! What a statement does, as far as its words tell. Nothing is executed, and SQL that is not understood is shown as it
//! is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The tables that a purchase changes.
const TABLES: [&str; 4] = ["products", "orders", "units", "stock_buckets"];
/// Longer SQL is cut in a row of a table.
const LONGEST_SHORT: usize = 110;

/// So many different statements are known at once.
const MOST_KNOWN: usize = 500;

thread_local! {
    static KNOWN: RefCell<HashMap<String, Rc<Words>>> = RefCell::default();
}

/// What a statement begins with, or what it does behind a `WITH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `BEGIN` or `START TRANSACTION`.
    Begin,
    /// `COMMIT` or `END`.
    Commit,
    /// `ROLLBACK` or `ABORT`.
    Rollback,
    /// `SAVEPOINT`, `RELEASE` or `ROLLBACK TO`.
    Savepoint,
    /// `SELECT`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// Anything else.
    Other,
}

/// How an `UPDATE` changes a product's stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// By so many copies.
    By(i64),
    /// To so many copies.
    To(i64),
    /// The words don't tell.
    Unknown,
}

/// A statement's words: names without their quotes, in lower case, and each other character by itself. Texts and
/// comments are left out.
#[derive(Clone, Debug)]
pub struct Words(pub(crate) Vec<String>);

impl Words {
    /// The words of this SQL. A shop sends few different statements, so their words are read once and kept.
    pub fn of(sql: &str) -> Rc<Self> {
        KNOWN.with_borrow_mut(|known| {
            if let Some(words) = known.get(sql) {
                return Rc::clone(words);
            }
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            let words = Rc::new(Self::read(sql));
            known.insert(sql.to_owned(), Rc::clone(&words));
            words
        })
    }

    fn read(sql: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = sql;
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("--") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else if first == '\'' || first == '"' {
                rest[1..].find(first).map_or(rest.len(), |end| end + 2)
            } else if is_of_word(first) {
                rest.find(|character| !is_of_word(character)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(length);
            let is_left_out = word.starts_with("--") || word.starts_with("/*") || first == '\'';
            if !is_left_out && !first.is_whitespace() {
                words.push(word.trim_matches('"').to_lowercase());
            }
            rest = after;
        }
        Self(words)
    }

    /// What the statement does.
    pub fn verb(&self) -> Verb {
        let word = |place: usize| self.0.get(place).map_or("", String::as_str);
        match word(0) {
            "begin" | "start" => Verb::Begin,
            "commit" | "end" => Verb::Commit,
            "rollback" if self.0.iter().any(|word| word == "to") => Verb::Savepoint,
            "rollback" | "abort" => Verb::Rollback,
            "savepoint" | "release" => Verb::Savepoint,
            "select" => Verb::Select,
            "insert" => Verb::Insert,
            "update" => Verb::Update,
            "delete" => Verb::Delete,
            "with" if self.has("insert") => Verb::Insert,
            "with" if self.has("delete") => Verb::Delete,
            "with" if self.position(&["update", "products"]).is_some() => Verb::Update,
            "with" => Verb::Select,
            _ => Verb::Other,
        }
    }

    /// The lock that the statement asks for by its words: `FOR UPDATE`, `FOR NO KEY UPDATE SKIP LOCKED`.
    pub fn lock(&self) -> Option<String> {
        for strength in ["for update", "for no key update", "for share", "for key share"]
            .map(|strength| strength.split(' '))
        {
            let strength: Vec<&str> = strength.collect();
            if let Some(place) = self.position(&strength) {
                let mut words = strength.clone();
                for end in [["nowait"].as_slice(), &["skip", "locked"]] {
                    if self.0[place..].windows(end.len()).any(|window| window == end) {
                        words.extend(end);
                    }
                }
                return Some(words.join(" ").to_uppercase());
            }
        }
        self.0.iter().find(|word| word.starts_with("pg_advisory")).cloned()
    }

    /// Whether it names one of the tables that a purchase changes.
    pub fn names_a_table(&self) -> bool {
        TABLES.iter().any(|table| self.has(table))
    }

    /// Whether it has this word.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|own| own == word)
    }

    /// How it changes a product's stock, in the product's row or in a bucket of the product. `None`: it doesn't.
    pub fn stock_change(&self, parameters: &[Option<String>]) -> Option<StockChange> {
        let tables = ["products", "stock_buckets"];
        let update = tables.into_iter().find_map(|table| self.position(&["update", table]))?;
        let words = &self.0[update..];
        let set = words.windows(2).position(|pair| pair == ["quantity", "="])?;
        let mut value = words[set + 2..].iter().map(String::as_str).peekable();
        let mut sign = None;
        if value.peek() == Some(&"products") {
            value.nth(1);
        }
        if value.next_if_eq(&"quantity").is_some() {
            sign = match value.next() {
                Some("-") => Some(-1),
                Some("+") => Some(1),
                _ => return Some(StockChange::Unknown),
            };
        }
        let number = match value.next() {
            Some(word) => word.strip_prefix('$').map_or(word.parse().ok(), |it| parameter(it, parameters)),
            None => None,
        };
        Some(match (number, sign) {
            (Some(number), Some(sign)) => StockChange::By(sign * number),
            (Some(number), None) => StockChange::To(number),
            (None, _) => StockChange::Unknown,
        })
    }

    fn position(&self, words: &[&str]) -> Option<usize> {
        self.0.windows(words.len()).position(|window| window == words)
    }
}

/// The words on a statement's bar: its verb, and the lock that it asks for.
pub fn label(sql: &str) -> String {
    let words = Words::of(sql);
    let first = words.0.first().map_or_else(|| "(empty)".to_owned(), |word| word.to_uppercase());
    let verb = match words.verb() {
        Verb::Insert if first == "WITH" => "WITH … INSERT".to_owned(),
        Verb::Update if first == "WITH" => "WITH … UPDATE".to_owned(),
        Verb::Delete if first == "WITH" => "WITH … DELETE".to_owned(),
        Verb::Savepoint if first == "ROLLBACK" => "ROLLBACK TO".to_owned(),
        _ => first,
    };
    match words.lock() {
        Some(lock) => format!("{verb} {lock}"),
        None => verb,
    }
}

/// The SQL in one line, without quotes around names. A long list of columns is left out.
pub fn short(sql: &str) -> String {
    let line = sql.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = match (line.strip_prefix("SELECT "), line.find(" FROM ")) {
        (Some(_), Some(from)) if from > 40 => format!("SELECT …{}", &line[from..]),
        _ => line,
    };
    if let Some((before, columns)) = line.rsplit_once(" RETURNING ")
        && columns.len() > 20
    {
        line = format!("{before} RETURNING …");
    }
    match line.char_indices().nth(LONGEST_SHORT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

fn parameter(place: &str, parameters: &[Option<String>]) -> Option<i64> {
    let place: usize = place.parse().ok()?;
    parameters.get(place.checked_sub(1)?)?.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECREMENT: &str =
        r#"UPDATE "products" SET "quantity" = "quantity" - $1 WHERE "products"."id" = $2"#;

    #[test]
    fn the_label_is_the_verb_and_the_lock() {
        for (sql, expected) in [
            ("BEGIN", "BEGIN"),
            ("select 1", "SELECT"),
            (r#"SELECT "id" FROM "products" LIMIT $2 FOR UPDATE"#, "SELECT FOR UPDATE"),
            ("SELECT 1 FROM units FOR UPDATE SKIP LOCKED", "SELECT FOR UPDATE SKIP LOCKED"),
            ("SELECT 1 FROM products FOR NO KEY UPDATE", "SELECT FOR NO KEY UPDATE"),
            ("SELECT 'for update' /* for update */ -- for update", "SELECT"),
            ("SELECT pg_advisory_xact_lock($1)", "SELECT pg_advisory_xact_lock"),
            ("WITH t AS (UPDATE products SET quantity = 1) INSERT INTO orders", "WITH … INSERT"),
            ("ROLLBACK TO SAVEPOINT a", "ROLLBACK TO"),
            ("", "(empty)"),
        ] {
            assert_eq!(label(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_change_of_the_stock_is_read_from_the_words_and_the_parameters() {
        let parameters = [Some("1".to_owned()), Some("an id".to_owned())];
        for (sql, expected) in [
            (DECREMENT, Some(StockChange::By(-1))),
            ("UPDATE products SET quantity = quantity + 2", Some(StockChange::By(2))),
            (
                "UPDATE stock_buckets SET quantity = quantity - 1 WHERE quantity > 0",
                Some(StockChange::By(-1)),
            ),
            ("UPDATE products SET quantity = products.quantity - 1", Some(StockChange::By(-1))),
            ("UPDATE products SET quantity = $1", Some(StockChange::To(1))),
            ("UPDATE products SET quantity = LEAST(quantity, 1)", Some(StockChange::Unknown)),
            ("UPDATE products SET title = $1", None),
            ("SELECT quantity FROM products", None),
        ] {
            assert_eq!(Words::of(sql).stock_change(&parameters), expected, "{sql}");
        }
    }

    #[test]
    fn long_lists_of_columns_are_left_out_of_the_short_form() {
        let sql =
            r#"SELECT "products"."id", "products"."title", "products"."author" FROM "products" LIMIT $2"#;
        assert_eq!(short(sql), "SELECT … FROM products LIMIT $2");
        assert_eq!(short("SELECT  1\n FROM x"), "SELECT 1 FROM x");
        assert_eq!(short(&"é".repeat(200)).chars().count(), LONGEST_SHORT + 1);
    }
}
