//! What one statement does with rows and locks, as far as its words tell. `parts.rs` finds it out. A function of the
//! database, and SQL that is not understood, do [`Deed::Other`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One thing that a statement does. A statement may do several: `WITH … UPDATE … INSERT …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Begins a transaction, with the isolation level that it asks for.
    Begin(Option<Isolation>),
    /// Asks for an isolation level within a transaction: `SET TRANSACTION ISOLATION LEVEL …`.
    Isolate(Isolation),
    /// Reads rows of a table, and perhaps locks them.
    Read(RowRead),
    /// Writes rows of a table.
    Write(RowWrite),
    /// Locks a whole table: `LOCK TABLE`.
    LockTable {
        /// The table.
        table: String,
        /// The mode in lower case, as `access exclusive`.
        mode: String,
    },
    /// Locks a number: `pg_advisory_xact_lock` and its relatives.
    LockNumber(NumberLock),
    /// Ends a transaction and keeps what it did.
    Commit,
    /// Ends a transaction and takes back what it did.
    Rollback,
    /// Gives back a lock on a number, or all of them: `pg_advisory_unlock` and its relatives. Only locks of the session
    /// can be given back.
    UnlockNumber,
    /// Makes a savepoint of this name.
    Savepoint(String),
    /// Goes back to the savepoint of this name: `ROLLBACK TO`. Locks that were taken after it end.
    BackTo(String),
    /// Forgets a savepoint: `RELEASE`. Locks that were taken after it stay.
    Release,
    /// Something else.
    Other,
}

/// The isolation level of a transaction. PostgreSQL treats READ UNCOMMITTED as READ COMMITTED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    #[default]
    ReadCommitted,
    /// All statements see what was committed before the first one. A write of a row that has changed since fails: 40001.
    RepeatableRead,
    /// The same, and a transaction whose reads are out of date fails: 40001.
    Serializable,
}

/// A read of a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRead {
    /// The table.
    pub table: String,
    /// The lock on the rows that it returns. `None`: it takes none.
    pub lock: Option<RowLock>,
}

/// The lock of `SELECT … FOR …` on rows. It ends with its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowLock {
    /// How strong it is.
    pub strength: Strength,
    /// What happens when another transaction holds the row.
    pub if_taken: IfTaken,
}

/// The strength of a lock on a row, the weakest first. PostgreSQL manual, section 13.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// `FOR KEY SHARE`: several transactions can have it, and others may change the row, but not its key.
    KeyShare,
    /// `FOR SHARE`: several transactions can have it, and none may change the row.
    Share,
    /// `FOR NO KEY UPDATE`: one transaction has it. Rows that refer to this one can still be inserted.
    NoKeyUpdate,
    /// `FOR UPDATE`: one transaction has it, and no other one has any lock on the row.
    Update,
}

/// What a read does when another transaction holds a row that it is to lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfTaken {
    /// It waits for the end of that transaction.
    Wait,
    /// It fails: `NOWAIT`, 55P03.
    Fail,
    /// It returns the other rows: `SKIP LOCKED`.
    Skip,
}

/// A write of a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowWrite {
    /// The table.
    pub table: String,
    /// What it does with the rows.
    pub verb: WriteVerb,
    /// The columns that an UPDATE sets.
    pub changes: Vec<Change>,
    /// The columns in its WHERE, without the row's own id.
    pub conditions: BTreeSet<String>,
    /// Those of them that must have a certain value: `version = $2`. Such a value was read before.
    pub unchanged: BTreeSet<String>,
}

/// What a write does with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteVerb {
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
}

/// A column that an UPDATE sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The column.
    pub column: String,
    /// Whether the new value is computed from the row as it is at this moment: `quantity = quantity - 1`. Otherwise the
    /// value was computed before, perhaps from a row that has changed since.
    pub is_relative: bool,
    /// Whether the new value may be the old one: `CASE WHEN quantity > 0 THEN quantity - 1 ELSE quantity END`. Such a row
    /// counts as changed in any case.
    pub is_conditional: bool,
}

/// A lock on a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberLock {
    /// Whether it ends with its transaction. Otherwise it ends with its session, or when it is given back.
    pub ends_with_transaction: bool,
    /// Whether it only tries: it returns false, and does not wait, when another session holds the number.
    pub is_tried: bool,
    /// Whether several sessions can have it.
    pub is_shared: bool,
    /// Whether the number is the same in each statement with these words: no parameter is part of it.
    pub is_constant: bool,
}

impl RowWrite {
    /// Whether it decides again by itself: its WHERE has a condition on more than the row's id.
    pub fn is_guarded(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// How it sets this column. `None`: it does not.
    pub fn change_of(&self, column: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.column == column)
    }
}

impl RowLock {
    /// Whether only one transaction can have it, so that a second one that wants it waits or is turned away.
    pub fn excludes_others(self) -> bool {
        self.strength >= Strength::NoKeyUpdate
    }
}

impl Deed {
    /// The read, if it is one of this table.
    pub fn read_of(&self, table: &str) -> Option<&RowRead> {
        match self {
            Self::Read(read) if read.table == table => Some(read),
            _ => None,
        }
    }

    /// The write, if it is one of this table.
    pub fn write_of(&self, table: &str) -> Option<&RowWrite> {
        match self {
            Self::Write(write) if write.table == table => Some(write),
            _ => None,
        }
    }
}

/// Whether two transactions can't both have a table lock in this mode (PostgreSQL manual, section 13.3.1).
pub(crate) fn excludes_its_like(mode: &str) -> bool {
    matches!(mode, "share update exclusive" | "share row exclusive" | "exclusive" | "access exclusive")
}
