//! Locks that end before their transaction: at a way back to a savepoint, or because a number is given back.

use crate::deed::Deed;
use crate::reading::{Reading, Sent};

impl Reading {
    /// The index of the statement that ends a lock before the transaction of `write` has ended. `deed` takes the lock, and
    /// `by` is the index of its statement. `None`: the lock lasts as long as the transaction, or longer.
    pub fn given_up(&self, by: usize, deed: &Deed, write: &Sent) -> Option<usize> {
        let (lock, statements) = (self.statements.get(by)?, &self.statements);
        let is_of_session = matches!(deed, Deed::LockNumber(lock) if !lock.ends_with_transaction);
        let of_write = |sent: &Sent| sent.transaction == write.transaction;
        let end =
            statements.iter().position(|sent| of_write(sent) && sent.ends()).unwrap_or(statements.len());
        (by + 1..end).find(|place| {
            let later = &statements[*place];
            let deeds = later.deeds.iter().filter(|_| later.error.is_none());
            deeds.into_iter().any(|deed| match deed {
                Deed::UnlockNumber => is_of_session && self.backend_of(later) == self.backend_of(lock),
                Deed::BackTo(name) => {
                    !is_of_session
                        && later.transaction == lock.transaction
                        && self.newest_savepoint(name, *place).is_some_and(|savepoint| savepoint < by)
                }
                _ => false,
            })
        })
    }

    /// The index of the statement that has made the savepoint of this name to which the statement at `place` goes back.
    fn newest_savepoint(&self, name: &str, place: usize) -> Option<usize> {
        let makes_it = |sent: &Sent| {
            sent.transaction == self.statements[place].transaction
                && sent.deeds.iter().any(|deed| matches!(deed, Deed::Savepoint(own) if own == name))
        };
        self.statements[..place].iter().rposition(makes_it)
    }

    fn backend_of(&self, sent: &Sent) -> i32 {
        self.transaction_of(sent).backend_pid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{DECREMENT, READ, READ_FOR_UPDATE, Story};

    const LOCK: &str = "SELECT pg_advisory_lock($1)";
    const UNLOCK: &str = "SELECT pg_advisory_unlock($1)";

    /// Where the first lock of these statements, of which the last one writes, is given up.
    fn given_up(statements: &[&str], after_the_write: &[&str]) -> Option<usize> {
        let mut own = Story::new().begin("replica-1", 8, "BEGIN", 1);
        for (index, sql) in statements.iter().chain(&[DECREMENT]).chain(after_the_write).enumerate() {
            own.add(sql, index as i64 + 2);
        }
        let reading = Reading::of([&own.commit(50).end()]);
        let is_lock = |deed: &&Deed| match deed {
            Deed::Read(read) => read.lock.is_some(),
            deed => matches!(deed, Deed::LockNumber(_)),
        };
        let locks = reading.statements.iter().enumerate();
        let mut locks = locks.filter_map(|(by, sent)| Some((by, sent.deeds.iter().find(is_lock)?)));
        let (by, deed) = locks.next().unwrap();
        reading.given_up(by, deed, reading.stock_writes().next().unwrap())
    }

    #[test]
    fn a_way_back_to_a_savepoint_ends_the_locks_that_came_after_it() {
        assert_eq!(given_up(&["SAVEPOINT a", READ_FOR_UPDATE, "ROLLBACK TO a", READ], &[]), Some(3));

        assert_eq!(given_up(&[READ_FOR_UPDATE, "SAVEPOINT a", READ, "ROLLBACK TO a"], &[]), None);
        assert_eq!(given_up(&["SAVEPOINT a", READ_FOR_UPDATE, "RELEASE a"], &[]), None);
        let again = ["SAVEPOINT a", READ_FOR_UPDATE, "SAVEPOINT a", READ, "ROLLBACK TO a"];
        assert_eq!(given_up(&again, &[]), None, "the second savepoint hides the first one");
    }

    #[test]
    fn a_lock_of_the_session_outlives_a_way_back_and_ends_when_it_is_given_back() {
        assert_eq!(given_up(&[LOCK, READ, UNLOCK], &[]), Some(3));
        assert_eq!(given_up(&[LOCK, READ], &[UNLOCK]), Some(4), "the write is not committed yet");

        assert_eq!(given_up(&[LOCK, READ], &[]), None);
        assert_eq!(given_up(&["SAVEPOINT a", LOCK, "ROLLBACK TO a", READ], &[]), None);
        let of_transaction = "SELECT pg_advisory_xact_lock($1)";
        assert_eq!(given_up(&[of_transaction, READ, UNLOCK], &[]), None, "it can't be given back");
    }
}
