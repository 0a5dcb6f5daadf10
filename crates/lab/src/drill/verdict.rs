//! Says what was broken, if anything was.

use std::collections::BTreeSet;
use std::time::Duration;

use super::distance::ReadyTimes;
use super::fault::{Fault, Kind};
use super::findings::DrillFindings;
use super::lost_answers::LostAnswers;
use super::pulse::HEALTH_LIMIT;

/// The shop promises that each answer to a purchase comes within this time.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest time from the end of a fault to the first sale, and from the death of a replica to its successor.
pub const RECOVERY_LIMIT: Duration = Duration::from_secs(1);
/// The longest time from the end of a fault to the first sale by each strategy. It is longer, because a strategy has
/// few buyers, and all of them may be waiting to ask again.
pub const RECOVERY_LIMIT_OF_ALL: Duration = Duration::from_secs(3);

impl DrillFindings {
    /// What was broken, in words; empty when all was survived. `may_oversell` are the strategies that may oversell.
    pub fn broken(&self, fault: &Fault, may_oversell: &BTreeSet<String>) -> Vec<String> {
        let counts = &self.counts;
        let mut broken = Vec::new();
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                broken.push(format!("{count} × {what}"));
            }
        };
        for (name, ledger) in &self.ledgers {
            let oversold = if may_oversell.contains(name) { 0 } else { ledger.oversold };
            let mut of_rows = |times, what: &str| count(times, &format!("{what} ({name})"));
            of_rows(ledger.unconserved, "initial stock - orders is not the stock");
            of_rows(oversold, "oversold");
            of_rows(ledger.lost_sales, "\"Out of stock\" while there was a copy");
            of_rows(ledger.dishonest, "answer without its order, or order without its answer");
            of_rows(ledger.committed_later, "order that came or went after the last answer");
        }
        count(counts.unsettled, "buyer who left, came back with the key, and did not learn the outcome");
        count(self.not_there_when_told, "order that was not there when its buyer was told");
        count(self.left_in_transaction, "database session left in a transaction");
        counts.wrong.iter().for_each(|(what, times)| count(*times, what));
        let unsettled = self.lost_answers.as_ref().map_or(0, LostAnswers::unsettled);
        count(
            unsettled,
            "buyer who asked again with the key after a lost answer, and did not learn the outcome",
        );
        if !fault.may_lose_answers {
            count(counts.outcome_unknown, "outcome unknown, although the fault ended no process or session");
            counts.no_answer.iter().for_each(|(how, times)| {
                count(*times, &format!("no answer, although the fault ended no process or session: {how}"));
            });
        }
        // On a far database, everybody who holds a row holds it for longer. So some buyers wait for it past their
        // limit.
        if !fault.may_refuse && self.ready.is_empty() {
            count(counts.not_carried_out, "503, although the shop was open all the time");
        }
        count(self.late_beats(), &format!("/health later than {} ms", HEALTH_LIMIT.as_millis()));
        if counts.longest > ANSWER_LIMIT {
            broken.push(format!("an answer after {:.1} s", counts.longest.as_secs_f64()));
        }
        broken.extend(self.late_recoveries());
        if let Some(away) = self.away.iter().max().filter(|away| **away > RECOVERY_LIMIT) {
            broken.push(format!("the killed replica was replaced after {:.1} s", away.as_secs_f64()));
        }
        broken.extend(self.not_met(fault));
        broken
    }

    fn late_recoveries(&self) -> Vec<String> {
        let mut late = Vec::new();
        if let Some(took) = self.slowest_recovery().filter(|took| *took > RECOVERY_LIMIT) {
            late.push(format!("the first sale {:.1} s after the fault", took.as_secs_f64()));
        }
        let each = self.recoveries.iter().flat_map(|recovery| &recovery.strategies);
        late.extend(each.filter_map(|(strategy, took)| match took {
            None => Some(format!("no sale by {strategy} after the fault")),
            Some(took) if *took > RECOVERY_LIMIT_OF_ALL => {
                Some(format!("the first sale by {strategy} {:.1} s after the fault", took.as_secs_f64()))
            }
            Some(_) => None,
        }));
        late
    }

    /// What did not happen although it is part of the fault. Without it, a drill shows nothing.
    fn not_met(&self, fault: &Fault) -> Vec<String> {
        let sends_leavers = matches!(fault.kind, Kind::BuyersLeave | Kind::FarDatabase);
        let mut missing = match &self.leaving {
            Some(leaving) => leaving.missing(),
            None if sends_leavers => vec!["nobody left".to_owned()],
            None => Vec::new(),
        };
        let near = self.ready.iter().find(|ready| !ready.show_distance());
        if let Some(ReadyTimes { near, far }) = near {
            let (before, meanwhile) = (near.as_secs_f64() * 1000.0, far.as_secs_f64() * 1000.0);
            missing.push(format!(
                "/ready took {before:.1} ms before the fault, and {meanwhile:.1} ms during it"
            ));
        } else if self.ready.is_empty() && fault.kind == Kind::FarDatabase {
            missing.push("the database was not far".to_owned());
        }
        match &self.lost_answers {
            Some(lost) => missing.extend(lost.missing()),
            None if fault.kind == Kind::LostCommitAnswer => missing.extend(LostAnswers::default().missing()),
            None => {}
        }
        missing.iter().map(|what| format!("the fault did not happen as planned: {what}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::counts::Counts;
    use super::super::fault::FAULTS;
    use super::super::findings::Recovery;
    use super::super::leaving::Leaving;
    use super::super::lost_answers::UnknownOutcomes;
    use super::super::pulse::Beat;
    use super::*;
    use crate::shop::ledger::Ledger;

    fn fault(kind: Kind) -> &'static Fault {
        FAULTS.iter().find(|fault| fault.kind == kind).unwrap()
    }

    fn recovery(nowait: Option<Duration>) -> Recovery {
        let strategies = [("batched", Some(RECOVERY_LIMIT)), ("nowait", nowait)];
        Recovery { strategies: strategies.map(|(name, took)| (name.to_owned(), took)).into() }
    }

    fn survived() -> DrillFindings {
        let recoveries = vec![recovery(Some(RECOVERY_LIMIT_OF_ALL))];
        let beats = vec![Beat { took: HEALTH_LIMIT * 3, missing_for: HEALTH_LIMIT, ..Beat::default() }];
        let counts = Counts { longest: ANSWER_LIMIT, ..Counts::default() };
        DrillFindings { counts, recoveries, beats, away: vec![RECOVERY_LIMIT], ..DrillFindings::default() }
    }

    fn broken(kind: Kind, change: impl FnOnce(&mut DrillFindings)) -> Vec<String> {
        let mut findings = survived();
        change(&mut findings);
        findings.broken(fault(kind), &BTreeSet::new())
    }

    fn broken_in_rows(change: fn(&mut Ledger)) -> Vec<String> {
        broken(Kind::KillReplica, |it| change(it.ledgers.entry("nowait".to_owned()).or_default()))
    }

    #[test]
    fn each_rule_can_be_broken() {
        let of_any = |change: fn(&mut DrillFindings)| broken(Kind::KillReplica, change);

        assert!(of_any(|_| {}).is_empty());
        assert_eq!(broken_in_rows(|it| it.unconserved = 1).len(), 1);
        assert_eq!(broken_in_rows(|it| it.oversold = 2), ["2 × oversold (nowait)"]);
        assert_eq!(broken_in_rows(|it| it.lost_sales = 1).len(), 1);
        assert_eq!(broken_in_rows(|it| it.dishonest = 1).len(), 1);
        assert_eq!(broken_in_rows(|it| it.committed_later = 1).len(), 1);
        assert_eq!(of_any(|it| it.counts.unsettled = 1).len(), 1);
        assert_eq!(
            of_any(|it| it.not_there_when_told = 1),
            ["1 × order that was not there when its buyer was told"]
        );
        assert_eq!(of_any(|it| it.left_in_transaction = 1), ["1 × database session left in a transaction"]);
        assert_eq!(of_any(|it| it.counts.wrong = BTreeMap::from([("502".to_owned(), 21)])), ["21 × 502"]);
        assert_eq!(of_any(|it| it.counts.longest *= 2), ["an answer after 20.0 s"]);
        assert_eq!(of_any(|it| it.recoveries.push(recovery(None))), ["no sale by nowait after the fault"]);
        let late = "the first sale by nowait 6.0 s after the fault";
        assert_eq!(of_any(|it| it.recoveries.push(recovery(Some(RECOVERY_LIMIT_OF_ALL * 2)))), [late]);
        let all_late =
            |it: &mut Recovery| it.strategies.values_mut().for_each(|took| *took = Some(RECOVERY_LIMIT * 2));
        assert_eq!(
            broken(Kind::KillReplica, |it| all_late(&mut it.recoveries[0])),
            ["the first sale 2.0 s after the fault"]
        );
        assert_eq!(of_any(|it| it.away[0] *= 2), ["the killed replica was replaced after 2.0 s"]);
        assert_eq!(of_any(|it| it.beats[0].missing_for *= 2), ["1 × /health later than 50 ms"]);
    }

    #[test]
    fn a_fault_that_was_not_met_is_not_survived() {
        let (near, far) = (Duration::from_millis(1), Duration::from_millis(21));
        let met = |it: &mut DrillFindings| {
            it.ready = vec![ReadyTimes { near, far }];
            it.leaving = Some(Leaving { made: 1, taken_back: 1, ..Leaving::default() });
        };

        assert!(broken(Kind::FarDatabase, met).is_empty());
        assert_eq!(broken(Kind::BuyersLeave, |_| {}), ["the fault did not happen as planned: nobody left"]);
        let nothing = [
            "the fault did not happen as planned: nobody left",
            "the fault did not happen as planned: the database was not far",
        ];
        assert_eq!(broken(Kind::FarDatabase, |_| {}), nothing);
        let without = |change: fn(&mut DrillFindings)| {
            broken(Kind::FarDatabase, |it| {
                met(it);
                change(it);
            })
        };
        let as_near_as_before = "the fault did not happen as planned: /ready took 1.0 ms before the fault, and 1.0 ms \
                                 during it";
        assert_eq!(without(|it| it.ready[0].far = it.ready[0].near), [as_near_as_before]);
        let no_answer = "the fault did not happen as planned: no answer to a COMMIT was lost";
        assert_eq!(broken(Kind::LostCommitAnswer, |_| {}), [no_answer]);
        let nothing_made =
            "the fault did not happen as planned: no purchase had been made when its buyer left";
        assert_eq!(without(|it| it.leaving.as_mut().unwrap().made = 0), [nothing_made]);
    }

    #[test]
    fn a_key_that_does_not_settle_a_lost_answer_is_not_survived() {
        let outcomes = UnknownOutcomes { without_key: 1, settled: 1, unsettled: 2 };
        let lose = |it: &mut DrillFindings| {
            it.lost_answers =
                Some(LostAnswers { answers: 4, strategies: [("nowait".to_owned(), outcomes)].into() });
        };

        let said =
            "2 × buyer who asked again with the key after a lost answer, and did not learn the outcome";
        assert_eq!(broken(Kind::LostCommitAnswer, lose), [said]);
    }

    #[test]
    fn only_where_something_ends_an_outcome_may_be_unknown() {
        let lose = |it: &mut DrillFindings| {
            it.counts.outcome_unknown = 1;
            it.counts.no_answer = BTreeMap::from([("connection closed".to_owned(), 1)]);
        };

        assert_eq!(broken(Kind::KillReplica, lose).len(), 0);
        assert_eq!(broken(Kind::RowLockHeld, lose).len(), 2);
    }

    #[test]
    fn only_while_replicas_are_replaced_or_buyers_leave_near_by_nobody_may_be_refused() {
        let refuse = |it: &mut DrillFindings| it.counts.not_carried_out = 1;

        assert_eq!(broken(Kind::PostgresStopped, refuse).len(), 0);
        assert_eq!(broken(Kind::RollingRestart, refuse).len(), 1);
        let far_away = |it: &mut DrillFindings| {
            refuse(it);
            it.ready = vec![ReadyTimes { near: Duration::ZERO, far: Duration::from_secs(1) }];
        };
        assert_eq!(broken(Kind::RollingRestart, far_away).len(), 0);
    }

    #[test]
    fn who_may_oversell_may_do_nothing_else_and_excuses_nobody() {
        let mut findings = survived();
        let ledger = Ledger { oversold: 3, dishonest: 1, ..Ledger::default() };
        findings.ledgers.insert("exercise".to_owned(), ledger);
        let may = |name: &str| BTreeSet::from([name.to_owned()]);

        assert_eq!(findings.broken(fault(Kind::Burst), &may("exercise")).len(), 1);
        assert_eq!(findings.broken(fault(Kind::Burst), &may("unlocked")).len(), 2);
    }
}
