//! A play of the explorer in the dashboard's words. Its pages and `make step` show the same.

use std::collections::BTreeSet;

use flash_sale_dashboard::engine_messages::BrokenRule;
use flash_sale_dashboard::played::{Look, Played, PlayedLock, PlayedOutcome, PlayedStep};
use flash_sale_explorer::{self as explorer, Flaw};

/// The play, as the pages have it.
pub fn shown(played: explorer::Played) -> Played {
    let look = |look: explorer::Look| Look {
        left: look.left,
        orders: look.orders,
        locks: look
            .locks
            .into_iter()
            .map(|lock| PlayedLock {
                actor: lock.actor,
                what: lock.what,
                mode: lock.mode,
                is_granted: lock.is_granted,
            })
            .collect(),
        waits: look.waits,
        next: look.next.into_iter().map(|next| (next.actor, next.sql.to_string())).collect(),
    };
    let step = |step: explorer::Step| PlayedStep { actor: step.actor, sql: step.sql.to_string() };
    Played {
        steps: played.steps.into_iter().map(step).collect(),
        looks: played.looks.into_iter().map(look).collect(),
        transactions: played.transactions,
        answers: played.replies.iter().map(|reply| reply.as_ref().and_then(|reply| reply.status)).collect(),
        outcome: played.outcome.map(|outcome| PlayedOutcome {
            left: outcome.left,
            orders: outcome.orders,
            flaw: worst(&outcome.flaws),
        }),
        newer_sources: Vec::new(),
    }
}

/// The worst of these flaws.
pub fn worst(flaws: &BTreeSet<Flaw>) -> Option<BrokenRule> {
    flaws.first().map(|flaw| match flaw {
        Flaw::Oversold => BrokenRule::Oversold,
        Flaw::Dishonest => BrokenRule::Dishonest,
        Flaw::Unconserved => BrokenRule::Unconserved,
        Flaw::LostSale => BrokenRule::LostSale,
        Flaw::Failed => BrokenRule::Failed,
    })
}
