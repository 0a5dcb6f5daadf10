//! What is recorded of a transaction.

use flash_sale_testbed::testing::wait_until;
use flash_sale_wiretap::Entrance;
use flash_sale_wiretap::trace::Outcome;
use sea_orm::sqlx::{self, Connection, Executor, PgConnection};
use serde_json::json;
use uuid::Uuid;

use crate::{Wire, pid_of, sent};

const READ: &str = "SELECT title, price, quantity FROM products WHERE id = $1";
const INSERT: &str = "INSERT INTO orders (product_id, served_by) VALUES ($1, $2) RETURNING id, created_at";
const UPDATE: &str = "UPDATE products SET quantity = quantity - 1 WHERE id = $1";

/// Buys as the shop does, and returns the order's id.
async fn buy(session: &mut PgConnection, book: Uuid) -> Uuid {
    let mut transaction = session.begin().await.unwrap();
    sqlx::query(READ).bind(book).fetch_one(&mut *transaction).await.unwrap();
    let insert = sqlx::query_scalar(INSERT).bind(book).bind("replica-1");
    let order = insert.fetch_one(&mut *transaction).await.unwrap();
    sqlx::query(UPDATE).bind(book).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    order
}

#[tokio::test]
async fn a_purchase_is_recorded_as_it_was_sent_and_answered_also_when_its_statements_are_known_already() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let mut session = wire.session().await;
    let pid = pid_of(&mut session).await;

    for (number, stock) in [(0, 1), (1, 0)] {
        let order = buy(&mut session, book).await;

        let transaction = wire.transactions().swap_remove(number);
        assert_eq!(sent(&transaction), ["BEGIN", READ, INSERT, UPDATE, "COMMIT"]);
        assert_eq!((transaction.outcome, transaction.backend_pid), (Outcome::Committed, pid));
        assert_eq!((transaction.replica.as_str(), transaction.order_id), ("replica-1", Some(order)));
        assert!(transaction.ended_at.unwrap() >= transaction.began_at);
        let [begin, read, insert, update, commit] = &transaction.statements[..] else { panic!() };
        assert_eq!(begin.tag.as_deref(), Some("BEGIN"));
        assert_eq!(read.parameters, [Some(book.to_string())]);
        assert_eq!(read.rows, Some(1));
        let saw = read.saw.clone().unwrap();
        assert_eq!((&saw["quantity"], &saw["title"]), (&json!(stock), &json!("Napping Through Incidents")));
        assert!(saw["price"].as_str().unwrap().contains('.'), "{saw:?}");
        assert_eq!(insert.parameters, [Some(book.to_string()), Some("replica-1".to_owned())]);
        assert_eq!(insert.saw.as_ref().unwrap()["id"], json!(order));
        assert_eq!((update.tag.as_deref(), update.rows), (Some("UPDATE 1"), Some(1)));
        assert_eq!((update.saw.as_ref(), commit.tag.as_deref()), (None, Some("COMMIT")));
        let moments = transaction.statements.iter().flat_map(|one| [one.began_ms, one.ended_ms.unwrap()]);
        assert!(moments.is_sorted(), "{transaction:#?}");
    }
}

/// A port of the machine would be open to all of its users. The folder is not.
#[tokio::test]
async fn the_wire_may_listen_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let wire = Wire::open_at(Entrance::Folder(folder.path())).await;
        let book = wire.book().await;
        wire.wiretap.try_out().await.unwrap();

        for replica in ["replica-1", "replica-2"] {
            buy(&mut wire.session_of(replica).await, book).await;
            assert_eq!(wire.transactions().pop().unwrap().replica, replica);
        }
    }
}

#[tokio::test]
async fn a_transaction_that_is_open_is_shown_and_there_is_news_of_each_statement() {
    let wire = Wire::open().await;
    let mut session = wire.session().await;
    let news = wire.wiretap.recorder().news();

    session.execute("BEGIN").await.unwrap();
    let (before, open) = (*news.borrow(), wire.only_transaction());
    session.execute("SELECT 7 AS seven").await.unwrap();
    let then = wire.only_transaction();

    assert_eq!((open.outcome, open.ended_at, open.statements.len()), (Outcome::Open, None, 1));
    assert_eq!(then.statements[1].saw.as_ref().unwrap()["seven"], json!(7), "also of a simple Query");
    assert_eq!(then.number, open.number);
    assert!(*news.borrow() > before);
    assert_eq!(wire.wiretap.recorder().transaction(open.number), Some(then));
}

#[tokio::test]
async fn however_a_transaction_ends_its_outcome_is_right() {
    use Outcome::{Committed, RolledBack};
    let wire = Wire::open().await;
    let mut session = wire.session().await;
    let update = "UPDATE products SET quantity = quantity";

    let ways: [(&[&str], Outcome, Option<&str>); 10] = [
        (&["BEGIN", update, "ROLLBACK"], RolledBack, None),
        (&["BEGIN", update, "SELECT 1 / 0", "COMMIT"], RolledBack, Some("22012")),
        (&["BEGIN", "SAVEPOINT a", update, "ROLLBACK TO a", "COMMIT"], Committed, None),
        (
            &["BEGIN", "SAVEPOINT a", "SELECT 1 / 0", "ROLLBACK TO SAVEPOINT a", "COMMIT"],
            Committed,
            Some("22012"),
        ),
        (&[update], Committed, None),
        (&["UPDATE products SET quantity = 1 / (quantity - quantity)"], RolledBack, Some("22012")),
        (&["BEGIN; UPDATE products SET quantity = 1; COMMIT"], Committed, None),
        (&["BEGIN; UPDATE products SET quantity = 1; ROLLBACK"], RolledBack, None),
        (&["BEGIN", "UPDAT", "ROLLBACK"], RolledBack, Some("42601")),
        (&["START TRANSACTION ISOLATION LEVEL SERIALIZABLE", update, "END"], Committed, None),
    ];
    for (statements, outcome, error) in ways {
        for is_prepared in [false, true] {
            let several = statements.iter().any(|sql| sql.contains(';'));
            if is_prepared && several {
                continue;
            }
            for sql in statements {
                let _ = match is_prepared {
                    true => sqlx::query(*sql).execute(&mut session).await.map(drop),
                    false => session.execute(*sql).await.map(drop),
                };
            }
            // sqlx does not wait for the end of an answer that says an error.
            session.ping().await.unwrap();

            let transaction = wire.transactions().pop().unwrap();
            assert_eq!(sent(&transaction), statements, "{is_prepared}");
            assert_eq!(transaction.outcome, outcome, "{transaction:#?}");
            let errors: Vec<&str> =
                transaction.statements.iter().filter_map(|one| one.error.as_deref()).collect();
            assert_eq!(errors, Vec::from_iter(error), "{transaction:#?}");
            assert!(transaction.statements.iter().all(|one| one.ended_ms.is_some()), "{transaction:#?}");
        }
    }
}

/// sqlx sends the ROLLBACK of a dropped transaction together with the next statement.
#[tokio::test]
async fn a_rollback_that_comes_with_the_next_statement_ends_its_own_transaction() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let mut session = wire.session().await;
    let mut transaction = session.begin().await.unwrap();
    sqlx::query(READ).bind(book).fetch_one(&mut *transaction).await.unwrap();

    drop(transaction);
    sqlx::query(UPDATE).bind(book).execute(&mut session).await.unwrap();

    let [dropped, next] = &wire.transactions()[..] else { panic!() };
    assert_eq!((sent(dropped), dropped.outcome), (vec!["BEGIN", READ, "ROLLBACK"], Outcome::RolledBack));
    assert_eq!((sent(next), next.outcome), (vec![UPDATE], Outcome::Committed));
}

#[tokio::test]
async fn what_nobody_waits_for_is_kept_apart_and_a_ping_is_nothing() {
    let wire = Wire::open().await;
    let mut session = wire.session().await;

    session.ping().await.unwrap();
    session.execute("RESET ALL; SELECT pg_advisory_unlock_all()").await.unwrap();
    session.execute("SET TRANSACTION READ ONLY").await.unwrap();
    sqlx::query("SELECT 1 AS one").execute(&mut session).await.unwrap();
    session.execute("BEGIN").await.unwrap();
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    session.execute("COMMIT").await.unwrap();

    assert_eq!(wire.transactions(), []);
    let others = wire.wiretap.recorder().others(2);
    assert_eq!(others.iter().map(|one| sent(one).len()).collect::<Vec<_>>(), [3, 1], "the newest first");
    assert_eq!(others[1].statements[0].saw.as_ref().unwrap()["one"], json!(1));
}

#[tokio::test]
async fn a_session_that_ends_within_a_transaction_leaves_a_lost_one_unless_postgresql_says_more() {
    let wire = Wire::open().await;
    let mut killed = wire.session().await;
    killed.execute("BEGIN").await.unwrap();
    drop(killed);
    wait_until("it is lost", async || wire.only_transaction().outcome == Outcome::Lost).await;

    let mut ended = wire.session().await;
    let pid = pid_of(&mut ended).await;
    ended.execute("BEGIN").await.unwrap();
    let mut other = wire.session_of("replica-2").await;
    sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut other).await.unwrap();
    wait_until("it is rolled back", async || {
        wire.transactions().last().unwrap().outcome == Outcome::RolledBack
    })
    .await;
    assert_eq!(wire.wiretap.recorder().others(1)[0].replica, "replica-2");
}

#[tokio::test]
async fn long_values_are_cut_and_a_transaction_of_very_many_statements_too() {
    let wire = Wire::open().await;
    let mut session = wire.session().await;
    let long = "x".repeat(1_000_000);

    session.execute("BEGIN").await.unwrap();
    let query = sqlx::query_scalar::<_, String>("SELECT $1::text AS same").bind(&long);
    assert_eq!(query.fetch_one(&mut session).await.unwrap(), long);
    session.execute(sqlx::AssertSqlSafe(format!("SELECT '{long}'"))).await.unwrap();
    for _ in 0..300 {
        session.execute("SELECT 1").await.unwrap();
    }
    session.execute("COMMIT").await.unwrap();

    let transaction = wire.only_transaction();
    assert_eq!((transaction.statements.len(), transaction.left_out), (200, 104));
    assert_eq!(transaction.outcome, Outcome::Committed);
    let printed = serde_json::to_string(&transaction).unwrap();
    assert!(printed.len() < 200_000, "{}", printed.len());
}
