//! The verdict on a strategy, by the invariants.

use serde::Serialize;

use crate::shop::contestant::Oversell;

/// The verdict in a word. A verdict counts only when none of those above it fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RaceVerdict {
    /// Copies vanished without an order, or orders took no copy.
    NotConserved,
    /// An answer doesn't fit the rows: somebody was told yes without an order, or has an order without being told.
    Dishonest,
    /// More was sold than there was.
    Oversold,
    /// Somebody went home without a copy that was there.
    LostSales,
    /// Somebody got no answer, or an answer that is the shop's own fault.
    Errors,
    /// More was sold than there was. This strategy is there to show that.
    OversoldAsItMust,
    /// More was sold than there was. Nobody has fixed this strategy yet.
    OversoldAsItMay,
    /// All is as it should be.
    #[default]
    Ok,
}

/// The findings that a verdict is made of, over all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct RaceFindings {
    /// Rounds in which the stock was not the initial stock minus the orders.
    pub unconserved_rounds: usize,
    /// Answers and orders that don't fit each other.
    pub dishonest: usize,
    /// Orders beyond the copies.
    pub oversold: usize,
    /// Sales that were lost.
    pub lost_sales: usize,
    /// Buyers who got no answer, or an answer that is the shop's own fault.
    pub errors: usize,
}

impl RaceVerdict {
    /// The first verdict that fits the findings.
    pub fn of(findings: &RaceFindings, oversell: Oversell) -> Self {
        if findings.unconserved_rounds > 0 {
            Self::NotConserved
        } else if findings.dishonest > 0 {
            Self::Dishonest
        } else if findings.oversold > 0 && oversell == Oversell::MustNot {
            Self::Oversold
        } else if findings.lost_sales > 0 {
            Self::LostSales
        } else if findings.errors > 0 {
            Self::Errors
        } else if findings.oversold == 0 {
            Self::Ok
        } else if oversell == Oversell::Must {
            Self::OversoldAsItMust
        } else {
            Self::OversoldAsItMay
        }
    }

    /// Whether the strategy did only what it may.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Ok | Self::OversoldAsItMust | Self::OversoldAsItMay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_oversell_is_right_when_it_does() {
        let findings = RaceFindings { oversold: 3, ..RaceFindings::default() };
        let verdicts =
            [Oversell::Must, Oversell::May, Oversell::MustNot].map(|it| RaceVerdict::of(&findings, it));

        assert_eq!(
            verdicts,
            [RaceVerdict::OversoldAsItMust, RaceVerdict::OversoldAsItMay, RaceVerdict::Oversold]
        );
        assert_eq!(verdicts.map(RaceVerdict::is_right), [true, true, false]);
    }

    #[test]
    fn each_finding_has_its_verdict_and_none_is_right() {
        let nothing = RaceFindings::default();
        let cases = [
            (RaceFindings { unconserved_rounds: 1, ..nothing }, RaceVerdict::NotConserved),
            (RaceFindings { dishonest: 1, ..nothing }, RaceVerdict::Dishonest),
            (RaceFindings { lost_sales: 1, ..nothing }, RaceVerdict::LostSales),
            (RaceFindings { errors: 1, ..nothing }, RaceVerdict::Errors),
        ];

        assert_eq!(RaceVerdict::of(&nothing, Oversell::MustNot), RaceVerdict::Ok);
        for (findings, expected) in cases {
            // No strategy may do this, not even one that may oversell.
            for oversell in [Oversell::Must, Oversell::May, Oversell::MustNot] {
                let verdict = RaceVerdict::of(&RaceFindings { oversold: 0, ..findings }, oversell);
                assert_eq!((verdict, verdict.is_right()), (expected, false));
            }
        }
    }
}
