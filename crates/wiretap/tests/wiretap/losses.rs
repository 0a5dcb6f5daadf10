//! Answers to COMMIT that are lost: PostgreSQL has committed, and the client does not learn it.

use std::num::NonZeroUsize;

use flash_sale_wiretap::line::AnswerLoss;
use flash_sale_wiretap::trace::Outcome;
use sea_orm::sqlx::{self, Connection, Error, Executor, PgConnection};

use crate::peers::{BareWire, message, pass, startup};
use crate::{Wire, connect};

const ORDER: &str = "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products";
const NO_ORDER: &str = "INSERT INTO orders (product_id, served_by) SELECT id, 'x' FROM products WHERE false";

#[tokio::test]
async fn what_committed_an_order_is_not_answered_and_all_else_is() {
    let wire = Wire::open().await;
    let loss = lose(&wire, 1);
    let mut session = wire.session().await;
    let mut other = wire.session().await;

    for answered in
        ["BEGIN; UPDATE products SET quantity = 5; COMMIT", "UPDATE products SET quantity = 6", NO_ORDER]
    {
        session.execute(answered).await.unwrap();
    }
    in_steps(&mut session, &["BEGIN", ORDER, "ROLLBACK", "BEGIN", "COMMIT"]).await.unwrap();
    let to_savepoint = ["BEGIN", "SAVEPOINT one", ORDER, "ROLLBACK TO one", "COMMIT"];
    in_steps(&mut session, &to_savepoint).await.unwrap();
    in_steps(&mut session, &["BEGIN", ORDER]).await.unwrap();
    assert!(session.execute("SELECT 1 / 0").await.is_err());
    session.execute("COMMIT").await.unwrap();
    let fails_together = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{ORDER}; SELECT 1 / 0")));
    assert!(matches!(fails_together.execute(&mut session).await, Err(Error::Database(_))));
    assert_eq!(orders(&wire).await, 0);

    let lost = in_steps(&mut session, &["BEGIN", ORDER, "UPDATE products SET quantity = 7", "COMMIT"]).await;

    assert!(matches!(lost, Err(Error::Io(_))), "{lost:?}");
    let newest = wire.transactions().pop().unwrap();
    assert_eq!((newest.outcome, newest.statements.len()), (Outcome::Committed, 4));
    other.ping().await.unwrap();
    assert_eq!((orders(&wire).await, loss.end()), (1, 1));
}

/// It has no COMMIT of its own: `single_statement` and `batched` sell so.
#[tokio::test]
async fn a_statement_that_is_a_transaction_by_itself_can_lose_its_answer() {
    let wire = Wire::open().await;
    let loss = lose(&wire, 1);

    for (count, sale) in [(1, ORDER), (2, &format!("WITH sold AS ({ORDER} RETURNING *) SELECT * FROM sold"))]
    {
        let lost = sqlx::query(sqlx::AssertSqlSafe(sale)).fetch_all(&mut wire.session().await).await;

        assert!(matches!(lost, Err(Error::Io(_))), "{lost:?}");
        assert_eq!(orders(&wire).await, count);
    }
    let mut session = wire.session().await;
    let in_one_message = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("BEGIN; {ORDER}; COMMIT")));
    let lost = in_one_message.execute(&mut session).await;
    assert!(matches!(lost, Err(Error::Io(_))), "{lost:?}");
    assert_eq!((orders(&wire).await, loss.end()), (3, 3));
}

#[tokio::test]
async fn one_answer_in_so_many_is_lost_until_the_loss_ends() {
    let wire = Wire::open().await;
    let loss = lose(&wire, 3);

    let mut lost = Vec::new();
    for number in 1..=7 {
        if wire.session().await.execute(ORDER).await.is_err() {
            lost.push(number);
        }
    }
    assert_eq!((lost, loss.end()), (vec![3, 6], 2));

    drop(lose(&wire, 1));
    wire.session().await.execute(ORDER).await.unwrap();
    assert_eq!(orders(&wire).await, 8);
}

/// No library sends so: the answers of statements that were sent together with COMMIT are lost with COMMIT's.
#[tokio::test]
async fn what_was_sent_with_a_commit_loses_its_answer_too() {
    let wire = BareWire::open().await;
    let loss = wire.wiretap.line_of("replica-1").unwrap().lose_commit_answers(NonZeroUsize::MIN);
    let (mut client, mut server) = wire.connection().await;
    pass(&mut client, &mut server, &startup()).await;
    pass(&mut server, &mut client, &ready(b'I')).await;
    let said = |sql: &str| message(b'Q', format!("{sql}\0").as_bytes());
    pass(&mut client, &mut server, &["BEGIN", ORDER, "COMMIT", "SELECT 1"].map(said).concat()).await;

    let answer = |tag: &str, status| [message(b'C', format!("{tag}\0").as_bytes()), ready(status)].concat();
    pass(&mut server, &mut client, &answer("BEGIN", b'T')).await;
    let rest = [("INSERT 0 1", b'T'), ("COMMIT", b'I'), ("SELECT 1", b'I')];
    let rest = rest.map(|(tag, status)| answer(tag, status)).concat();
    tokio::io::AsyncWriteExt::write_all(&mut server, &rest).await.unwrap();

    assert_eq!(tokio::io::AsyncReadExt::read(&mut client, &mut [0]).await.unwrap_or_default(), 0);
    assert_eq!(loss.end(), 1);
}

fn lose(wire: &Wire, one_in: usize) -> AnswerLoss {
    let one_in = NonZeroUsize::new(one_in).unwrap();
    wire.wiretap.line_of("replica-1").unwrap().lose_commit_answers(one_in)
}

async fn in_steps(session: &mut PgConnection, statements: &[&'static str]) -> Result<(), Error> {
    for statement in statements {
        session.execute(*statement).await?;
    }
    Ok(())
}

/// Asked on a connection of its own.
async fn orders(wire: &Wire) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM orders");
    count.fetch_one(&mut connect(&wire.database.url).await).await.unwrap()
}

fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}
