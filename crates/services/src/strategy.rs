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
}

/// Its name, as in JSON.
impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl Strategy {
    /// Each of them.
    pub const ALL: [Self; 12] = [
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
    ];

    /// How it sells, in one line.
    pub fn description(self) -> &'static str {
        match self {
            Self::Unlocked => {
                "reads the stock, checks it, then sells; nothing keeps others from doing the same"
            }
            Self::Pessimistic => "SELECT … FOR UPDATE: whoever reads the stock has it alone until COMMIT",
            Self::NoKeyUpdate => {
                "SELECT … FOR NO KEY UPDATE: the same, and doesn't hold up other orders' foreign keys"
            }
            Self::Nowait => "SELECT … FOR UPDATE NOWAIT: whoever would have to wait is sent away",
            Self::Optimistic => "locks nothing, and sells only if the row's version is still the one it read",
            Self::AtomicUpdate => {
                "UPDATE … WHERE quantity > 0: check and decrement in one statement, then the order"
            }
            Self::SingleStatement => "decrement and order in one statement, without a transaction around it",
            Self::CheckConstraint => {
                "checks as unlocked does, and a CHECK constraint refuses what would oversell"
            }
            Self::Serializable => {
                "ISOLATION LEVEL SERIALIZABLE: PostgreSQL refuses what no serial order explains"
            }
            Self::AdvisoryLock => "pg_advisory_xact_lock on the product's id: a lock by agreement, on no row",
            Self::SkipLocked => {
                "a row for each copy, and FOR UPDATE SKIP LOCKED: each buyer takes another one"
            }
            Self::Batched => "one task for each product sells to up to 64 waiting buyers with one statement",
        }
    }

    /// What somebody gets who was not fast enough.
    pub fn loser_gets(self) -> &'static str {
        match self {
            Self::Unlocked => "an order too: it oversells",
            Self::Pessimistic | Self::NoKeyUpdate | Self::AdvisoryLock => "waits, then 400 Out of stock",
            Self::Nowait => "409 at once, with Retry-After",
            Self::Optimistic | Self::Serializable => {
                "is tried again, then 400 Out of stock, or 409 when the retries run out"
            }
            Self::SkipLocked => "400 Out of stock once all are sold; 409 while others hold the last ones",
            Self::Batched => "400 Out of stock; 503 with Retry-After when the queue is full",
            Self::AtomicUpdate | Self::SingleStatement | Self::CheckConstraint => "400 Out of stock",
        }
    }

    /// Whether it can sell more copies than there are.
    pub fn can_oversell(self) -> bool {
        self == Self::Unlocked
    }
}
