//! The queries of the league's variants that no repository has.

use flash_sale_core::{order, product};
use sea_orm::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{DbBackend, QuerySelect, Statement, Value};

type Read = Result<Option<product::Model>, DbErr>;

pub(super) async fn read_locked<C: ConnectionTrait>(connection: &C, id: Uuid, lock: LockType) -> Read {
    product::Entity::find_by_id(id).lock(lock).one(connection).await
}

pub(super) async fn read_locked_or<C: ConnectionTrait>(
    connection: &C,
    id: Uuid,
    lock: LockType,
    behavior: LockBehavior,
) -> Read {
    product::Entity::find_by_id(id).lock_with_behavior(lock, behavior).one(connection).await
}

/// A read in words of its own. `$1` is the product's id.
pub(super) async fn read<C: ConnectionTrait>(connection: &C, id: Uuid, sql: &str) -> Read {
    product::Entity::find().from_raw_sql(statement(sql, [id.into()])).one(connection).await
}

/// An INSERT in words of its own. `$1` is the product's id, `$2` the replica's name.
pub(super) async fn insert<C: ConnectionTrait>(
    connection: &C,
    id: Uuid,
    served_by: &str,
    sql: &str,
) -> Result<Option<order::Model>, DbErr> {
    order::Entity::find().from_raw_sql(statement(sql, [id.into(), served_by.into()])).one(connection).await
}

/// Any other statement. Returns how many rows it has changed.
pub(super) async fn run<C: ConnectionTrait, const N: usize>(
    connection: &C,
    sql: &str,
    values: [Value; N],
) -> Result<u64, DbErr> {
    Ok(connection.execute_raw(statement(sql, values)).await?.rows_affected())
}

/// A question that is answered with one true or false.
pub(super) async fn ask<C: ConnectionTrait, const N: usize>(
    connection: &C,
    sql: &str,
    values: [Value; N],
) -> Result<bool, DbErr> {
    let row = connection.query_one_raw(statement(sql, values)).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
}

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}
