//! A schedule that is made up. For the tests of this crate.

use std::collections::BTreeSet;

use flash_sale_explorer::{Became, Flaw, Outcome, Schedule, Step};

/// A and B send this SQL, one after the other, and both get the one copy.
pub(crate) fn oversold_by(sql: &str) -> Schedule {
    let step =
        |actor: usize| Step { actor, sql: sql.into(), is_inside: false, trouble: None, became: Became::Done };
    Schedule {
        steps: vec![step(0), step(1)],
        dice: Vec::new(),
        replies: Vec::new(),
        outcome: Outcome {
            left: -1,
            orders: 2,
            statuses: vec![Some(200), Some(200)],
            flaws: BTreeSet::from([Flaw::Oversold]),
            waits: 0,
            deadlocks: 0,
        },
        is_troubled: false,
        notes: Vec::new(),
    }
}
