//! What statements do, as far as their words tell.

use super::*;
use crate::deed::{IfTaken, NumberLock, RowLock, Strength};

fn read(table: &str, lock: Option<(Strength, IfTaken)>) -> Deed {
    let lock = lock.map(|(strength, if_taken)| RowLock { strength, if_taken });
    Deed::Read(RowRead { table: table.to_owned(), lock })
}

/// A column in `conditions` that must have a certain value ends in =.
fn write(table: &str, verb: WriteVerb, changes: &[(&str, bool)], conditions: &[&str]) -> Deed {
    let change = |(column, is_relative): &(&str, bool)| Change {
        column: (*column).to_owned(),
        is_relative: *is_relative,
        is_conditional: false,
    };
    Deed::Write(RowWrite {
        table: table.to_owned(),
        verb,
        changes: changes.iter().map(change).collect(),
        conditions: conditions.iter().map(|column| column.trim_end_matches('=').to_owned()).collect(),
        unchanged: conditions
            .iter()
            .filter_map(|column| column.strip_suffix('='))
            .map(str::to_owned)
            .collect(),
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
            write("products", Update, &[("quantity", true), ("version", true)], &["version="]),
        ),
        (
            "UPDATE products SET quantity = $2 WHERE id = $1 AND products.quantity = $3",
            write("products", Update, &[("quantity", false)], &["quantity="]),
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
    for sql in ["SELECT pg_advisory_unlock(42)", "RESET ALL; SELECT pg_advisory_unlock_all()"] {
        assert_eq!(deeds(sql), [Deed::UnlockNumber], "{sql}");
    }
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
    let name = || "a".to_owned();
    for sql in ["ROLLBACK TO SAVEPOINT a", "rollback to \"a\";"] {
        assert_eq!(deeds(sql), [Deed::BackTo(name())], "{sql}");
    }
    assert_eq!(deeds("SAVEPOINT a"), [Deed::Savepoint(name())]);
    assert_eq!(deeds("RELEASE SAVEPOINT a"), [Deed::Release]);
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
