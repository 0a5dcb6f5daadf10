//! BEGIN in the log. sqlx logs every statement but BEGIN and SAVEPOINT. So all code of the shop begins its transactions
//! through `logging`, and each transaction in the log has its beginning.

use std::cell::Cell;

use sea_orm::DbErr;

tokio::task_local! {
    /// The statement that is being sent, until it is logged.
    static UNSAID: Cell<Option<&'static str>>;
}

/// Begins a transaction by a future of SeaORM's, which sends `statement` first: BEGIN, or SAVEPOINT for one within
/// another. Where sqlx logs statements (`sqlx=debug`), this one is logged too, once it is answered.
pub(crate) async fn logging<T>(
    statement: &'static str,
    begin: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let begun = async {
        let begun = begin.await;
        if begun.is_ok() {
            say();
        }
        begun
    };
    UNSAID.scope(Cell::new(Some(statement)), begun).await
}

/// Logs the statement that has begun the transaction, unless it is logged already. The logger calls this before it logs
/// another statement: after BEGIN, SeaORM sends SET TRANSACTION by itself, and sqlx logs that one before our own code
/// goes on.
pub fn say() {
    if let Ok(Some(statement)) = UNSAID.try_with(Cell::take) {
        log::debug!(target: "sqlx::query", "{statement}");
    }
}
