//! What a statement touches, so far as its words say: two statements that touch nothing in common may follow one another
//! in either order, and the same comes of it. Where the words say too little, a statement touches everything.

use std::collections::BTreeSet;

use crate::schedule::Step;

/// Words that write or lock rows.
const WRITES: [&str; 8] = ["insert", "update", "delete", "merge", "share", "truncate", "lock", "call"];
/// Statements of a transaction that touch nothing and free nothing. Under READ COMMITTED, the snapshot is taken by the
/// next statement.
const FREE: [&str; 5] = ["begin", "start", "set", "savepoint", "release"];
/// Statements that end a transaction, or free its locks.
const ENDS: [&str; 4] = ["commit", "end", "rollback", "abort"];

/// What a statement touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Footprint {
    /// These tables.
    Tables { read: BTreeSet<String>, written: BTreeSet<String> },
    /// Perhaps everything.
    Everything,
}

impl Footprint {
    fn nothing() -> Self {
        Self::Tables { read: BTreeSet::new(), written: BTreeSet::new() }
    }

    /// What the next statement of this actor touches, after these steps. Its COMMIT touches all that its transaction has
    /// written and locked.
    pub(crate) fn of(sql: &str, actor: usize, steps: &[Step], tables: &BTreeSet<String>) -> Self {
        let first = words(sql).next().unwrap_or_default();
        if FREE.contains(&first.as_str()) {
            return Self::nothing();
        }
        if !ENDS.contains(&first.as_str()) {
            return Self::of_statement(sql, tables);
        }
        let own = steps.iter().rev().filter(|step| step.actor == actor);
        let own = own.take_while(|step| {
            let first = words(&step.sql).next().unwrap_or_default();
            !["begin", "start"].contains(&first.as_str())
        });
        own.fold(Self::nothing(), |all, step| match (all, Self::of_statement(&step.sql, tables)) {
            (Self::Tables { read, mut written }, Self::Tables { written: more, .. }) => {
                written.extend(more);
                Self::Tables { read, written }
            }
            _ => Self::Everything,
        })
    }

    /// What the next statement of this actor touches when trouble befalls it, after these steps: also what its
    /// transaction has written and locked, because the transaction may end.
    pub(crate) fn in_trouble(sql: &str, actor: usize, steps: &[Step], tables: &BTreeSet<String>) -> Self {
        Self::of(sql, actor, steps, tables).and(Self::of("ROLLBACK", actor, steps, tables))
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Tables { mut read, mut written },
                Self::Tables { read: more_read, written: more_written },
            ) => {
                read.extend(more_read);
                written.extend(more_written);
                Self::Tables { read, written }
            }
            _ => Self::Everything,
        }
    }

    fn of_statement(sql: &str, tables: &BTreeSet<String>) -> Self {
        let named: BTreeSet<String> = words(sql).filter(|word| tables.contains(word)).collect();
        let first = words(sql).next().unwrap_or_default();
        if FREE.contains(&first.as_str()) {
            return Self::nothing();
        }
        if named.is_empty() || words(sql).any(|word| word.contains("advisory")) {
            return if ENDS.contains(&first.as_str()) { Self::nothing() } else { Self::Everything };
        }
        if !words(sql).any(|word| WRITES.contains(&word.as_str())) {
            return Self::Tables { read: named, written: BTreeSet::new() };
        }
        let mut written = named;
        // An order's foreign key locks the row of its product.
        if written.contains("orders") && tables.contains("products") {
            written.insert("products".to_owned());
        }
        Self::Tables { read: BTreeSet::new(), written }
    }

    /// Whether their order can make a difference to what comes of them.
    pub(crate) fn depends_on(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Tables { read: my_reads, written: mine },
                Self::Tables { read: their_reads, written: theirs },
            ) => !mine.is_disjoint(theirs) || !mine.is_disjoint(their_reads) || !theirs.is_disjoint(my_reads),
            (Self::Tables { read, written }, Self::Everything)
            | (Self::Everything, Self::Tables { read, written }) => !read.is_empty() || !written.is_empty(),
            (Self::Everything, Self::Everything) => true,
        }
    }
}

/// Whether these statements ask for an isolation level whose transactions see one snapshot from their first statement
/// on, or are held against one another at COMMIT. Nothing is reduced there.
pub(crate) fn isolates_more<'a>(mut statements: impl Iterator<Item = &'a str>) -> bool {
    statements.any(|sql| words(sql).any(|word| word == "repeatable" || word == "serializable"))
}

fn words(sql: &str) -> impl Iterator<Item = String> {
    sql.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::Became;

    #[test]
    fn a_statement_that_trouble_befalls_touches_all_that_its_transaction_has_locked() {
        let tables = ["products", "idempotency_keys"].map(str::to_owned).into();
        let step = |sql: &str| Step {
            actor: 0,
            sql: Arc::from(sql),
            is_inside: false,
            trouble: None,
            became: Became::Done,
        };
        let steps = ["BEGIN", "SELECT 1 FROM products FOR UPDATE"].map(step);
        let next = "UPDATE idempotency_keys SET status = 200";
        let of_another = Footprint::of("SELECT 1 FROM products FOR UPDATE NOWAIT", 1, &steps, &tables);

        assert!(!Footprint::of(next, 0, &steps, &tables).depends_on(&of_another));
        assert!(Footprint::in_trouble(next, 0, &steps, &tables).depends_on(&of_another));
    }
}
