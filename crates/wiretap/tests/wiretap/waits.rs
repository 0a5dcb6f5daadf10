//! Who waits for whom.

use flash_sale_testbed::testing::{SideConnection, wait_until};
use flash_sale_wiretap::trace::{Outcome, Statement, Wait};
use sea_orm::sqlx::{self, Executor};

use crate::{Wire, pid_of};

const LOCK: &str = "SELECT quantity FROM products WHERE id = $1 FOR UPDATE";

#[tokio::test]
async fn a_wait_names_the_session_that_holds_the_lock_its_statement_and_the_time() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let (mut first, mut second) = (wire.session().await, wire.session_of("replica-2").await);
    let pid = pid_of(&mut first).await;
    first.execute("BEGIN").await.unwrap();
    sqlx::query(LOCK).bind(book).execute(&mut first).await.unwrap();
    first.execute("SELECT 'the payment'").await.unwrap();

    let waiting = tokio::spawn(async move {
        second.execute("BEGIN").await.unwrap();
        sqlx::query(LOCK).bind(book).execute(&mut second).await.unwrap();
        second.execute("COMMIT").await.unwrap();
    });
    wait_until("the wait is seen while it lasts", async || wait_of_last(&wire).is_some()).await;
    let so_far = wait_of_last(&wire).unwrap();
    first.execute("COMMIT").await.unwrap();
    waiting.await.unwrap();

    let [holder, waiter] = &wire.transactions()[..] else { panic!() };
    assert_eq!((waiter.replica.as_str(), waiter.outcome), ("replica-2", Outcome::Committed));
    assert!(holder.statements.iter().all(|statement| statement.blocked_by.is_none()), "{holder:#?}");
    let [_, read, _] = &waiter.statements[..] else { panic!() };
    let wait = read.blocked_by.clone().unwrap();
    assert_eq!((wait.backend_pid, wait.statement.as_deref()), (pid, Some(LOCK)));
    assert_eq!(wait.lock.as_deref(), Some("transactionid"));
    let rounded = 0.01;
    assert!(wait.waited_ms >= so_far.waited_ms, "{wait:?} after {so_far:?}");
    assert!(wait.waited_ms <= took(read) + rounded, "{wait:?} of {read:?}");
}

#[tokio::test]
async fn a_session_beside_the_wire_that_holds_a_lock_is_named_by_its_process() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let side = SideConnection::open(&wire.database.url).await;
    side.begin().await;
    side.lock_product(book).await;
    let mut session = wire.session().await;

    let waiting = tokio::spawn(async move {
        sqlx::query(LOCK).bind(book).execute(&mut session).await.unwrap();
        session
    });
    wait_until("the wait is seen", async || wait_of_last(&wire).is_some()).await;
    side.rollback().await;
    let _session = waiting.await.unwrap();

    let wait = wait_of_last(&wire).unwrap();
    assert!(wait.backend_pid > 0 && wait.statement.is_none(), "{wait:?}");
}

/// The wire asks again after a failure: its own session may be ended, as any other.
#[tokio::test]
async fn a_wait_is_seen_also_after_the_session_that_asks_was_ended() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let side = SideConnection::open(&wire.database.url).await;
    for known in 0..2 {
        side.begin().await;
        side.lock_product(book).await;
        let mut session = wire.session().await;
        let waiting =
            tokio::spawn(async move { sqlx::query(LOCK).bind(book).execute(&mut session).await.unwrap() });
        let waits =
            || wire.transactions().iter().flat_map(|one| one.statements[0].blocked_by.clone()).count();
        wait_until("the wait is seen", async || waits() > known).await;
        side.rollback().await;
        waiting.await.unwrap();
        side.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flash-sale wiretap'
             AND datname = current_database()",
        )
        .await;
    }
}

/// The wait of the newest transaction, as far as it is known.
fn wait_of_last(wire: &Wire) -> Option<Wait> {
    wire.transactions().last()?.statements.iter().find_map(|statement| statement.blocked_by.clone())
}

fn took(statement: &Statement) -> f64 {
    statement.ended_ms.unwrap() - statement.began_ms
}
