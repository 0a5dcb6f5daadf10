//! What the invariants say of a strategy.

use serde::Serialize;

use crate::shop::contestant::Oversell;

/// In a word. Those further down count only when none above fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RaceVerdict {
    /// Copies vanished without an order, or orders took none.
    NotConserved,
    /// Somebody was told something else than what the rows say.
    Dishonest,
    /// More was sold than there was.
    Oversold,
    /// Somebody went home without a copy that was there.
    LostSales,
    /// Somebody got no answer, or one that is the shop's own fault.
    Errors,
    /// More was sold than there was, which this one is there to show.
    OversoldAsItMust,
    /// More was sold than there was, and nobody has fixed it yet.
    OversoldAsItMay,
    /// All is as it should be.
    #[default]
    Ok,
}

/// What a verdict is made of, over all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct RaceFindings {
    /// Rounds in which initial stock - orders was not the stock.
    pub unconserved_rounds: usize,
    /// Answers and orders that don't fit each other.
    pub dishonest: usize,
    /// Orders beyond the copies.
    pub oversold: usize,
    /// Sales that were lost.
    pub lost_sales: usize,
    /// Buyers who met a failure.
    pub errors: usize,
}

impl RaceVerdict {
    /// The first that fits.
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

    /// Whether nothing happened that must not.
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
            // Not even who may oversell may do that.
            for oversell in [Oversell::Must, Oversell::May, Oversell::MustNot] {
                let verdict = RaceVerdict::of(&RaceFindings { oversold: 0, ..findings }, oversell);
                assert_eq!((verdict, verdict.is_right()), (expected, false));
            }
        }
    }
}
