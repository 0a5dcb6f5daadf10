//! What a diagnosis is made from: the signs that the checks of a shop have shown, and two purchases of one copy whose
//! statements are known.

use std::collections::BTreeSet;

use crate::reading::Reading;

/// Something that was seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// More copies were sold than there were.
    Oversold,
    /// A buyer was told "Out of stock" while a copy was left.
    LostSale,
    /// Readers waited for a purchase.
    ReadersWait,
    /// Buyers of other products waited for a purchase.
    OtherProductsWait,
    /// Buyers who came at the same time met failures.
    BuyersMetFailures,
    /// A slow click sent no second request.
    NoSecondRequest,
    /// A sale took less time than the payment is set to take.
    ShortPayment,
    /// Only one replica sells.
    OneReplica,
    /// The database has a rule that refuses orders.
    NewConstraint,
    /// A buyer who was alone was told "Out of stock".
    RefusedAlone,
    /// A buyer who was alone met a failure, or got no answer.
    FailedAlone,
}

/// One purchase, and what its buyer was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Purchase {
    /// What it did.
    pub reading: Reading,
    /// The HTTP status of its answer. `None`: there was no answer.
    pub status: Option<u16>,
}

/// What a diagnosis is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// What was seen from outside.
    pub signs: BTreeSet<Sign>,
    /// Two purchases of one copy, A and B, which were played in an order that shows the most. Empty: none were played.
    pub purchases: Vec<Purchase>,
    /// Whether a replica that gets two purchases at once lets only one of them get to the database.
    pub is_one_at_a_time: bool,
}

impl Evidence {
    /// Whether this was seen.
    pub fn has(&self, sign: Sign) -> bool {
        self.signs.contains(&sign)
    }
}

impl Purchase {
    /// Whether its buyer was told yes.
    pub fn is_told_yes(&self) -> bool {
        self.status == Some(200)
    }

    /// Whether its buyer met a failure of the shop, or got no answer.
    pub fn met_failure(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }
}
