//! The names of the ways to sell, and what each of them does in a few words. [`crate::strategies`] carries them out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way to sell. Its name, in JSON, is the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described by `description`")]
pub enum Strategy {
    Unlocked,
    Pessimistic,
    NoKeyUpdate,
    Nowait,
    Optimistic,
    AtomicUpdate,
    SingleStatement,
    CheckConstraint,
    Serializable,
    AdvisoryLock,
    SkipLocked,
    Batched,
    Reservation,
    StockBuckets,
}

/// Its name, as in JSON.
impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl Strategy {
    /// Each of them.
    pub const ALL: [Self; 14] = [
        Self::Unlocked,
        Self::Pessimistic,
        Self::NoKeyUpdate,
        Self::Nowait,
        Self::Optimistic,
        Self::AtomicUpdate,
        Self::SingleStatement,
        Self::CheckConstraint,
        Self::Serializable,
        Self::AdvisoryLock,
        Self::SkipLocked,
        Self::Batched,
        Self::Reservation,
        Self::StockBuckets,
    ];

    /// How it sells, in one line.
    pub fn description(self) -> &'static str {
        match self {
            Self::Unlocked => {
                "reads the stock, checks it, then sells; other buyers can do the same meanwhile"
            }
            Self::Pessimistic => {
                "SELECT … FOR UPDATE: one buyer locks the row until COMMIT, and the others wait"
            }
            Self::NoKeyUpdate => {
                "SELECT … FOR NO KEY UPDATE: as pessimistic, but foreign keys of other orders don't wait"
            }
            Self::Nowait => "SELECT … FOR UPDATE NOWAIT: a buyer who would have to wait is refused",
            Self::Optimistic => {
                "locks nothing, and sells only if the row still has the version that was read"
            }
            Self::AtomicUpdate => {
                "UPDATE … WHERE quantity > 0: check and decrement in one statement, then the order"
            }
            Self::SingleStatement => "decrement and order in one statement, without a transaction around it",
            Self::CheckConstraint => "checks as unlocked does, and a CHECK constraint refuses to oversell",
            Self::Serializable => {
                "ISOLATION LEVEL SERIALIZABLE: PostgreSQL refuses a transaction that no serial order explains"
            }
            Self::AdvisoryLock => "pg_advisory_xact_lock on the product's id: locks a number, and no row",
            Self::SkipLocked => {
                "a row for each copy, and FOR UPDATE SKIP LOCKED: each buyer takes another row"
            }
            Self::Batched => "one task for each product sells to up to 64 waiting buyers with one statement",
            Self::Reservation => {
                "takes a copy and holds it, lets the buyer pay without a lock, then turns the hold into an order"
            }
            Self::StockBuckets => {
                "spreads the stock over several rows, and takes a copy from one at random: buyers rarely meet"
            }
        }
    }

    /// What somebody gets who was not fast enough.
    pub fn loser_gets(self) -> &'static str {
        match self {
            Self::Unlocked => "an order, too: the shop oversells",
            Self::Pessimistic | Self::NoKeyUpdate | Self::AdvisoryLock => "400 Out of stock, after a wait",
            Self::Nowait => "409 at once, with Retry-After",
            Self::Optimistic | Self::Serializable => {
                "more attempts, then 400 Out of stock; 409 when there is no attempt left"
            }
            Self::SkipLocked => "400 Out of stock once all are sold; 409 while others hold the last ones",
            Self::Batched => "400 Out of stock; 503 with Retry-After when the queue is full",
            Self::Reservation => {
                "400 Out of stock once all are sold; 409 while others hold the last ones, or when the own hold lapses"
            }
            Self::StockBuckets => "400 Out of stock once all buckets are empty",
            Self::AtomicUpdate | Self::SingleStatement | Self::CheckConstraint => "400 Out of stock",
        }
    }

    /// Whether it can sell more copies than there are.
    pub fn can_oversell(self) -> bool {
        self == Self::Unlocked
    }
}
