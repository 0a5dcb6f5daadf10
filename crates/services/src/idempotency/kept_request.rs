//! The purchase that a key is used for, as its record in the database says it. Records outlive the program that wrote
//! them.

use std::fmt;

use uuid::Uuid;

use crate::strategy::Strategy;

/// What a purchase asks for. Two bodies with the same meaning are the same request, even if their bytes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptRequest {
    pub product_id: Uuid,
    /// `None` is the exercise.
    pub strategy: Option<Strategy>,
}

/// The text that is stored: the product's id, and then the strategy's name if there is one. The database reads the id
/// too.
impl fmt::Display for KeptRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strategy {
            Some(strategy) => write!(formatter, "{} {strategy}", self.product_id),
            None => write!(formatter, "{}", self.product_id),
        }
    }
}

impl KeptRequest {
    /// Whether a record is about the same purchase.
    pub fn is(&self, stored: &str) -> bool {
        stored == self.to_string() || stored == self.in_old_words()
    }

    /// The text that older replicas stored: they named a strategy as the variant of the enum is named. Their records
    /// hold for 24 hours. When the last of these replicas has ended for longer, this function can go.
    fn in_old_words(&self) -> String {
        match self.strategy {
            Some(strategy) => format!("{} Some({})", self.product_id, in_camel_case(&strategy.to_string())),
            None => format!("{} None", self.product_id),
        }
    }
}

fn in_camel_case(name: &str) -> String {
    let capitalized = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('_').map(capitalized).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How each was stored before, and how it is stored now. None of these may ever change: a client may come
    /// again with a key whose record says it so.
    const STORED: [(Option<Strategy>, &str, &str); 15] = [
        (None, " None", ""),
        (Some(Strategy::Unlocked), " Some(Unlocked)", " unlocked"),
        (Some(Strategy::Pessimistic), " Some(Pessimistic)", " pessimistic"),
        (Some(Strategy::NoKeyUpdate), " Some(NoKeyUpdate)", " no_key_update"),
        (Some(Strategy::Nowait), " Some(Nowait)", " nowait"),
        (Some(Strategy::Optimistic), " Some(Optimistic)", " optimistic"),
        (Some(Strategy::AtomicUpdate), " Some(AtomicUpdate)", " atomic_update"),
        (Some(Strategy::SingleStatement), " Some(SingleStatement)", " single_statement"),
        (Some(Strategy::CheckConstraint), " Some(CheckConstraint)", " check_constraint"),
        (Some(Strategy::Serializable), " Some(Serializable)", " serializable"),
        (Some(Strategy::AdvisoryLock), " Some(AdvisoryLock)", " advisory_lock"),
        (Some(Strategy::SkipLocked), " Some(SkipLocked)", " skip_locked"),
        (Some(Strategy::Batched), " Some(Batched)", " batched"),
        (Some(Strategy::Reservation), " Some(Reservation)", " reservation"),
        (Some(Strategy::StockBuckets), " Some(StockBuckets)", " stock_buckets"),
    ];

    #[test]
    fn a_request_is_stored_in_words_that_never_change_and_recognized_in_the_old_ones() {
        let product_id = Uuid::from_u128(7);
        for (strategy, _, now) in STORED {
            let request = KeptRequest { product_id, strategy };

            assert_eq!(request.to_string(), format!("{product_id}{now}"));
            for (other, other_before, other_now) in STORED {
                let is_same = other == strategy;
                assert_eq!(request.is(&format!("{product_id}{other_before}")), is_same, "{other_before}");
                assert_eq!(request.is(&format!("{product_id}{other_now}")), is_same, "{other_now}");
            }
            assert!(!request.is(&format!("{}{now}", Uuid::nil())));
        }
    }
}
