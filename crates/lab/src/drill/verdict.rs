//! What was broken, if anything was.

use std::time::Duration;

use super::counts::Counts;
use super::fault::Fault;
use super::ledger::Ledger;
use super::pulse::{Beat, HEALTH_LIMIT};

/// Invariant 5: each answer to a purchase comes within it.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// From the end of a fault to the first sale, and from the death of a replica to the next one.
pub const RECOVERY_LIMIT: Duration = Duration::from_secs(1);

/// All that was found out about a fault, each time that it struck.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What the buyers saw.
    pub counts: Counts,
    /// What the rows say.
    pub ledger: Ledger,
    /// From the end of the fault to the first sale; `None` if there was none. One for each time.
    pub recoveries: Vec<Option<Duration>>,
    /// How long killed replicas were away.
    pub away: Vec<Duration>,
    /// What was felt of the replicas.
    pub beats: Vec<Beat>,
}

impl Findings {
    /// Answers of `/health` that were missing past their limit.
    pub fn late_beats(&self) -> usize {
        self.beats.iter().filter(|beat| beat.is_late()).count()
    }

    /// The longest time from the end of the fault to the first sale; `None` if once there was none.
    pub fn slowest_recovery(&self) -> Option<Duration> {
        self.recoveries.iter().copied().collect::<Option<Vec<Duration>>>()?.into_iter().max()
    }

    /// What was broken, in words; nothing when all was survived. `may_oversell` is for the exercise.
    pub fn broken(&self, fault: &Fault, may_oversell: bool) -> Vec<String> {
        let Self { counts, ledger, .. } = self;
        let mut broken = Vec::new();
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                broken.push(format!("{count} × {what}"));
            }
        };
        count(ledger.unconserved, "initial stock - orders is not the stock");
        count(if may_oversell { 0 } else { ledger.oversold }, "oversold");
        count(ledger.lost_sales, "\"Out of stock\" while there was a copy");
        count(ledger.dishonest, "answer without its order, or order without its answer");
        count(ledger.committed_later, "order that came or went after the last answer");
        counts.wrong.iter().for_each(|(what, times)| count(*times, what));
        if !fault.may_lose_answers {
            count(counts.outcome_unknown, "outcome unknown, although nothing ended");
            counts.no_answer.iter().for_each(|(how, times)| {
                count(*times, &format!("no answer, although nothing ended: {how}"));
            });
        }
        if !fault.may_refuse {
            count(counts.not_carried_out, "503, although the shop was open all the time");
        }
        count(self.late_beats(), &format!("/health later than {} ms", HEALTH_LIMIT.as_millis()));
        if counts.longest > ANSWER_LIMIT {
            broken.push(format!("an answer after {:.1} s", counts.longest.as_secs_f64()));
        }
        match self.slowest_recovery() {
            None => broken.push("no sale after it was over".to_owned()),
            Some(time) if time > RECOVERY_LIMIT => {
                broken.push(format!("the first sale {:.1} s after it was over", time.as_secs_f64()));
            }
            Some(_) => {}
        }
        if let Some(away) = self.away.iter().max().filter(|away| **away > RECOVERY_LIMIT) {
            broken.push(format!("the replica back only after {:.1} s", away.as_secs_f64()));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fault::{FAULTS, Kind};
    use super::*;

    fn fault(kind: Kind) -> &'static Fault {
        FAULTS.iter().find(|fault| fault.kind == kind).unwrap()
    }

    fn survived() -> Findings {
        let recoveries = vec![Some(RECOVERY_LIMIT)];
        let beats = vec![Beat { took: HEALTH_LIMIT * 3, missing_for: HEALTH_LIMIT, ..Beat::default() }];
        let counts = Counts { longest: ANSWER_LIMIT, ..Counts::default() };
        Findings { counts, recoveries, beats, away: vec![RECOVERY_LIMIT], ..Findings::default() }
    }

    fn broken(kind: Kind, change: impl FnOnce(&mut Findings)) -> Vec<String> {
        let mut findings = survived();
        change(&mut findings);
        findings.broken(fault(kind), false)
    }

    #[test]
    fn each_rule_can_be_broken() {
        let of_any = |change: fn(&mut Findings)| broken(Kind::KillReplica, change);

        assert!(of_any(|_| {}).is_empty());
        assert_eq!(of_any(|it| it.ledger.unconserved = 1).len(), 1);
        assert_eq!(of_any(|it| it.ledger.oversold = 2), ["2 × oversold"]);
        assert_eq!(of_any(|it| it.ledger.lost_sales = 1).len(), 1);
        assert_eq!(of_any(|it| it.ledger.dishonest = 1).len(), 1);
        assert_eq!(of_any(|it| it.ledger.committed_later = 1).len(), 1);
        assert_eq!(of_any(|it| it.counts.wrong = BTreeMap::from([("502".to_owned(), 21)])), ["21 × 502"]);
        assert_eq!(of_any(|it| it.counts.longest *= 2), ["an answer after 20.0 s"]);
        assert_eq!(of_any(|it| it.recoveries.push(None)), ["no sale after it was over"]);
        assert_eq!(of_any(|it| it.recoveries[0] = Some(RECOVERY_LIMIT * 2)).len(), 1);
        assert_eq!(of_any(|it| it.away[0] *= 2), ["the replica back only after 2.0 s"]);
        assert_eq!(of_any(|it| it.beats[0].missing_for *= 2), ["1 × /health later than 50 ms"]);
    }

    #[test]
    fn only_where_something_ends_an_outcome_may_be_unknown() {
        let lose = |it: &mut Findings| {
            it.counts.outcome_unknown = 1;
            it.counts.no_answer = BTreeMap::from([("connection closed".to_owned(), 1)]);
        };

        assert_eq!(broken(Kind::KillReplica, lose).len(), 0);
        assert_eq!(broken(Kind::RowLockHeld, lose).len(), 2);
    }

    #[test]
    fn only_while_replicas_are_replaced_nobody_may_be_refused() {
        let refuse = |it: &mut Findings| it.counts.not_carried_out = 1;

        assert_eq!(broken(Kind::PostgresStopped, refuse).len(), 0);
        assert_eq!(broken(Kind::RollingRestart, refuse).len(), 1);
    }

    #[test]
    fn the_exercise_may_oversell_and_nothing_else() {
        let mut findings = survived();
        findings.ledger = Ledger { oversold: 3, dishonest: 1, ..Ledger::default() };

        assert_eq!(findings.broken(fault(Kind::Burst), true).len(), 1);
        assert_eq!(findings.broken(fault(Kind::Burst), false).len(), 2);
    }
}
