//! Queries on `idempotency_keys`. Each takes several keys, because a batch of purchases asks for all its keys at once.

use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, TryGetable};

use crate::stock_repository::statement;

/// The keys, seen through a connection or a transaction.
pub struct IdempotencyKeyRepository<'a, C> {
    connection: &'a C,
}

/// One row of `idempotency_keys`: what was asked for with the key, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct IdempotencyRecord {
    /// The client's key.
    pub key: String,
    /// What was asked for.
    pub request: String,
    /// The answer's HTTP status.
    pub status: i16,
    /// The answer's body, as it was sent.
    pub body: String,
}

impl<'a, C: ConnectionTrait> IdempotencyKeyRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// Reserves the keys until the transaction ends, and returns those that nobody else has reserved. Never
    /// waits: `SELECT key … WHERE pg_try_advisory_xact_lock(hashtextextended(key, 1))`
    ///
    /// The 1 keeps these locks apart from those on products, which are hashed with 0.
    pub async fn try_reserve(&self, keys: &[String]) -> Result<Vec<String>, DbErr> {
        let sql = "SELECT key FROM unnest($1) AS wanted (key)
                   WHERE pg_try_advisory_xact_lock(hashtextextended(key, 1))";
        let rows = self.connection.query_all_raw(statement(sql, [keys.to_vec().into()])).await?;
        rows.iter().map(|row| String::try_get_by_index(row, 0).map_err(DbErr::from)).collect()
    }

    /// Reserves one key until the transaction ends. It waits while another transaction has reserved the key:
    /// `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`
    pub async fn reserve(&self, key: &str) -> Result<(), DbErr> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))";
        self.connection.execute_raw(statement(sql, [key.into()])).await?;
        Ok(())
    }

    /// The records of these keys that are less than 24 hours old: `SELECT … WHERE key = ANY ($1) AND …`
    pub async fn get_current(&self, keys: &[String]) -> Result<Vec<IdempotencyRecord>, DbErr> {
        let sql = "SELECT key, request, status, body FROM idempotency_keys
                   WHERE key = ANY ($1) AND created_at > clock_timestamp() - interval '24 hours'";
        let statement = statement(sql, [keys.to_vec().into()]);
        IdempotencyRecord::find_by_statement(statement).all(self.connection).await
    }

    /// Stores new records, also in place of expired ones of the same key. Returns how many were stored. A key that has
    /// a current record after all is left out: `INSERT … ON CONFLICT (key) DO UPDATE … WHERE` the old one has expired
    pub async fn create(&self, records: &[IdempotencyRecord]) -> Result<usize, DbErr> {
        let sql = "INSERT INTO idempotency_keys AS stored (key, request, status, body)
                   SELECT * FROM unnest($1, $2, $3, $4)
                   ON CONFLICT (key) DO UPDATE
                   SET request = excluded.request, status = excluded.status, body = excluded.body,
                       created_at = excluded.created_at
                   WHERE stored.created_at <= clock_timestamp() - interval '24 hours'";
        let column = |value: fn(&IdempotencyRecord) -> &String| -> Vec<String> {
            records.iter().map(|record| value(record).clone()).collect()
        };
        let statuses: Vec<i16> = records.iter().map(|record| record.status).collect();
        let values = [
            column(|record| &record.key).into(),
            column(|record| &record.request).into(),
            statuses.into(),
            column(|record| &record.body).into(),
        ];
        let inserted = self.connection.execute_raw(statement(sql, values)).await?;
        Ok(inserted.rows_affected() as usize)
    }

    /// Deletes what is 24 hours old, and returns how many there were: `DELETE … WHERE created_at <= …`
    pub async fn delete_expired(&self) -> Result<u64, DbErr> {
        let sql = "DELETE FROM idempotency_keys WHERE created_at <= clock_timestamp() - interval '24 hours'";
        Ok(self.connection.execute_raw(statement(sql, [])).await?.rows_affected())
    }

    /// Deletes refusals that are older than the newest `kept` ones, `most` of them at most, and returns how many
    /// there were: `DELETE … WHERE key IN (SELECT … FOR UPDATE SKIP LOCKED)`
    ///
    /// Waits for nobody. A reset deletes the same records in another order, and the two could deadlock.
    pub async fn delete_refusals(&self, kept: u32, most: u32) -> Result<u64, DbErr> {
        let sql = "DELETE FROM idempotency_keys WHERE key IN (
                       SELECT key FROM idempotency_keys
                       WHERE status <> 200 AND created_at <= (
                           SELECT created_at FROM idempotency_keys WHERE status <> 200
                           ORDER BY created_at DESC OFFSET $1 LIMIT 1)
                       ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
        let values = [i64::from(kept).into(), i64::from(most).into()];
        Ok(self.connection.execute_raw(statement(sql, values)).await?.rows_affected())
    }
}
