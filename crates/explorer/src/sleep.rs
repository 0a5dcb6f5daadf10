//! Sleep sets (Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996): an actor sleeps while
//! everything that could come of its next statement has been seen already from an earlier state.

use std::collections::BTreeMap;

use crate::footprint::Footprint;

/// The actors that sleep, with what their next statements touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct SleepSet(BTreeMap<usize, Footprint>);

impl SleepSet {
    pub(crate) fn contains(&self, actor: usize) -> bool {
        self.0.contains_key(&actor)
    }

    pub(crate) fn add(&mut self, actor: usize, footprint: Footprint) {
        self.0.insert(actor, footprint);
    }

    /// Who still sleeps after an actor has made a step that touches this.
    pub(crate) fn after(&self, actor: usize, step: &Footprint) -> Self {
        let sleeping = self.0.iter().filter(|(sleeper, next)| **sleeper != actor && !next.depends_on(step));
        Self(sleeping.map(|(sleeper, next)| (*sleeper, next.clone())).collect())
    }
}
