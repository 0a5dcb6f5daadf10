//! BEGIN in the log. sqlx logs every statement but BEGIN and SAVEPOINT, so whoever begins a transaction here does it
//! through `logging`, and a transaction in the log has its beginning.

use std::cell::Cell;

use sea_orm::DbErr;

tokio::task_local! {
    /// What is being sent, as long as the log hasn't said it.
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

/// Says what was begun, unless it was said. To be called before another statement is logged: after BEGIN, SeaORM sends
/// SET TRANSACTION by itself, and sqlx logs that before we know of either.
pub fn say() {
    if let Ok(Some(statement)) = UNSAID.try_with(Cell::take) {
        log::debug!(target: "sqlx::query", "{statement}");
    }
}
