//! Names the mistake. What a purchase did is looked at first; where it did nothing wrong, what was seen from outside
//! decides. Start with [`diagnose`].

use flash_sale_wiretap::trace::Outcome;
use serde::{Deserialize, Serialize};

use crate::conflicts::{is_conflict, refused, tried_again};
use crate::deed::{Deed, IfTaken, WriteVerb};
use crate::evidence::{Evidence, Purchase, Sign};
use crate::locks::mistake_of_locks;
use crate::mistake::{Found, Mistake};
use crate::reading::{QUANTITY, Sent};
use crate::sales::mistake_of_sales;
use crate::shown::{Shown, shown};

/// A mistake with its name, and the statements that show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Its name.
    pub name: Mistake,
    /// What it is, in a few sentences.
    pub sentence: String,
    /// The statements that show it, in the order in which PostgreSQL answered them.
    pub statements: Vec<Shown>,
}

/// The mistake of a shop whose verdict is not FIXED. `None`: it can't be told from what was seen.
pub fn diagnose(evidence: &Evidence) -> Option<Diagnosis> {
    let (name, mut statements) = find(evidence)?;
    // A statement may have been held before it got to PostgreSQL, so when it was sent says little.
    statements.sort_by_key(|(_, sent)| sent.ended_at.unwrap_or(sent.began_at));
    let sentence =
        case(name, &statements, evidence).map_or(name.sentence(), |case| name.sentence_where(case));
    let statements = statements.into_iter().map(|(purchase, sent)| shown(purchase, sent)).collect();
    Some(Diagnosis { name, sentence, statements })
}

/// The case of a mistake that has several, as `texts/mistakes.txt` has it.
fn case(name: Mistake, statements: &[(usize, &Sent)], evidence: &Evidence) -> Option<&'static str> {
    let is_told_no = match name {
        Mistake::ConflictWithoutRetry => {
            let status_of = |(index, _): &(usize, &Sent)| evidence.purchases.get(*index)?.status;
            statements.last().and_then(status_of) == Some(400)
        }
        Mistake::TriesUsedUp => !evidence.has(Sign::BuyersMetFailures),
        Mistake::WrongCondition => {
            let change = statements.first()?.1.stock_write()?.change_of(QUANTITY)?;
            return Some(if change.is_conditional { "in the new value" } else { "in the UPDATE" });
        }
        _ => false,
    };
    is_told_no.then_some("told that nothing is left")
}

fn find(evidence: &Evidence) -> Option<Found<'_>> {
    let has = |sign| evidence.has(sign);
    let only = |mistake| Some((mistake, Vec::new()));
    let purchases = &evidence.purchases;
    if has(Sign::FailedAlone) {
        return only(Mistake::FailsAlone);
    }
    if has(Sign::RefusedAlone) {
        return only(Mistake::RefusesEverybody);
    }
    if let Some(found) = untrue_answer(purchases) {
        return Some(found);
    }
    if let Some(found) = undone_afterwards(purchases).or_else(|| kept_after_refusal(purchases)) {
        return Some(found);
    }
    if has(Sign::OneReplica)
        || (evidence.is_one_at_a_time && has(Sign::Oversold))
        || purchases.iter().any(is_refused_from_memory)
    {
        return Some((Mistake::GuardInOneProcess, all_reads(purchases)));
    }
    if has(Sign::ShortPayment) {
        return only(Mistake::PaymentCutShort);
    }
    if has(Sign::NoSecondRequest) {
        return only(Mistake::RetryMissing);
    }
    if let Some(found) = of_purchases(evidence) {
        return Some(found);
    }
    if (has(Sign::BuyersMetFailures) || has(Sign::LostSale))
        && let Some(found) = purchases.iter().enumerate().find_map(tried_again)
    {
        return Some(found);
    }
    if has(Sign::ReadersWait) || has(Sign::OtherProductsWait) {
        return Some((Mistake::LockTooBroad, purchases.iter().enumerate().flat_map(waiting).collect()));
    }
    if has(Sign::NewConstraint) { only(Mistake::ConstraintAdded) } else { None }
}

fn of_purchases(evidence: &Evidence) -> Option<Found<'_>> {
    let purchases = &evidence.purchases;
    if purchases.iter().filter(|purchase| purchase.reading.has_sold()).count() > 1 {
        return mistake_of_sales(purchases).or_else(|| mistake_of_locks(purchases));
    }
    let each = || purchases.iter().enumerate();
    each()
        .find_map(skipped_row)
        .or_else(|| each().find_map(failed_statement))
        .or_else(|| each().find_map(late_buyer))
        .or_else(|| {
            each()
                .find_map(|it| counts_its_own_copy(it).or_else(|| refused(it)))
                .filter(|_| evidence.has(Sign::LostSale))
        })
}

/// A buyer was told yes, and the purchase has kept no order.
fn untrue_answer(purchases: &[Purchase]) -> Option<Found<'_>> {
    let (index, purchase) =
        purchases.iter().enumerate().find(|(_, it)| it.is_told_yes() && !it.reading.has_sold())?;
    let reading = &purchase.reading;
    let inserts = || reading.statements.iter().filter(|sent| sent.inserts_order());
    // A statement without words that are understood may have made the order: a function of the database.
    if inserts().next().is_none() && reading.statements.iter().any(Sent::is_not_understood) {
        return None;
    }
    let tells = |sent: &&Sent| {
        sent.inserts_order() || sent.ends() || sent.error.is_some() || sent.quantity().is_some()
    };
    let statements = reading.statements.iter().filter(tells).map(|sent| (index, sent)).collect();
    let was_ended = |sent: &Sent| {
        reading.of_transaction(sent.transaction).any(Sent::commits)
            || reading.transaction_of(sent).outcome == Outcome::Committed
    };
    let never_commits = inserts().next().is_some() && !inserts().any(was_ended);
    Some((if never_commits { Mistake::NeverCommits } else { Mistake::UntrueAnswer }, statements))
}

/// A buyer was told no, and the purchase has deleted its order after the order was committed.
fn undone_afterwards(purchases: &[Purchase]) -> Option<Found<'_>> {
    purchases.iter().enumerate().filter(|(_, it)| !it.is_told_yes()).find_map(|(index, purchase)| {
        let reading = &purchase.reading;
        let order = reading.statements.iter().find(|sent| sent.inserts_order())?;
        let deletion = reading
            .statements
            .iter()
            .find(|sent| sent.writes_order(WriteVerb::Delete) && sent.error.is_none())?;
        let is_apart = reading.has_sold() && deletion.transaction != order.transaction;
        is_apart.then(|| (Mistake::UndoneAfterwards, vec![(index, order), (index, deletion)]))
    })
}

/// A buyer was told no, and the purchase has kept an order.
fn kept_after_refusal(purchases: &[Purchase]) -> Option<Found<'_>> {
    let (index, purchase) = purchases
        .iter()
        .enumerate()
        .find(|(_, it)| it.status.is_some() && !it.is_told_yes() && it.reading.has_sold())?;
    let tells = |sent: &&Sent| sent.inserts_order() || sent.stock_write().is_some() || sent.ends();
    let statements = purchase.reading.statements.iter().filter(tells).map(|sent| (index, sent)).collect();
    Some((Mistake::KeptAfterRefusal, statements))
}

/// A buyer was told "Out of stock" by a purchase that has looked at nothing.
fn is_refused_from_memory(purchase: &Purchase) -> bool {
    let is_look = |deed: &Deed| {
        matches!(deed, Deed::Read(_) | Deed::Write(_) | Deed::LockTable { .. } | Deed::LockNumber(_))
    };
    let looks = |sent: &Sent| sent.is_not_understood() || sent.deeds.iter().any(is_look);
    purchase.status == Some(400) && !purchase.reading.statements.iter().any(looks)
}

/// A read that leaves out rows which are held has left out the product's row.
fn skipped_row((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let skips = |sent: &&Sent| {
        sent.rows == Some(0) && sent.product_lock().is_some_and(|lock| lock.if_taken == IfTaken::Skip)
    };
    let read = purchase.reading.product_reads().find(skips)?;
    Some((Mistake::RowSkipped, vec![(index, read)]))
}

/// A statement failed, and so did the purchase.
fn failed_statement((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    if !purchase.met_failure() {
        return None;
    }
    let reading = &purchase.reading;
    let failed = reading.statements.iter().rev().find(|sent| sent.error.is_some())?;
    if failed.error.as_deref() == Some("25P02") {
        let in_vain = [reading.of_transaction(failed.transaction).find(|sent| sent.error.is_some())?, failed];
        return Some((Mistake::GoesOnAfterError, in_vain.map(|sent| (index, sent)).to_vec()));
    }
    let earlier: Vec<&Sent> =
        reading.of_transaction(failed.transaction).filter(|sent| sent.began_at < failed.began_at).collect();
    let is_weak = |sent: &&&Sent| sent.shares_product();
    let inserts = |sent: &&&Sent| sent.inserts_order();
    let (mistake, first) = match failed.error.as_deref()? {
        "40P01" => match (earlier.iter().find(is_weak), earlier.iter().find(inserts)) {
            (Some(weak), _) => (Mistake::LockTooWeak, Some(*weak)),
            (None, Some(insert)) => (Mistake::LockAfterInsert, Some(*insert)),
            (None, None) => (Mistake::ConflictWithoutRetry, None),
        },
        error if is_conflict(error) => (Mistake::ConflictWithoutRetry, None),
        error if error.starts_with("23") => (Mistake::ConstraintWithoutAnswer, None),
        _ => return None,
    };
    let read = earlier.iter().copied().find(|sent| sent.quantity().is_some());
    let mut statements: Vec<(usize, &Sent)> =
        [first.or(read), Some(failed)].into_iter().flatten().map(|sent| (index, sent)).collect();
    statements.dedup();
    Some((mistake, statements))
}

/// No statement failed, the purchase saw that nothing was left, and its buyer met a failure.
fn late_buyer((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let found_nothing = |sent: &Sent| {
        let write = sent.stock_write().filter(|_| sent.rows == Some(0));
        write.is_some_and(|write| write.is_guarded()) || sent.quantity().is_some_and(|it| it <= 0)
    };
    let is_late = purchase.met_failure() && purchase.reading.statements.iter().any(found_nothing);
    let tells = |sent: &&Sent| sent.product_read().is_some() || sent.stock_write().is_some();
    is_late.then(|| {
        let told = purchase.reading.statements.iter().filter(tells);
        (Mistake::LateBuyerMeetsFailure, told.map(|sent| (index, sent)).collect())
    })
}

/// A purchase has taken a copy, and then saw that nothing was left: the copy that it had taken was the last one. Its buyer
/// was told "Out of stock".
fn counts_its_own_copy((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    if purchase.status != Some(400) {
        return None;
    }
    let reading = &purchase.reading;
    let taken = reading.stock_writes().find(|sent| sent.rows == Some(1))?;
    let is_after = |sent: &&Sent| sent.transaction == taken.transaction && sent.began_at > taken.began_at;
    let read = reading.product_reads().filter(is_after).find(|sent| sent.quantity() == Some(0))?;
    Some((Mistake::CountsItsOwnCopy, [taken, read].map(|sent| (index, sent)).to_vec()))
}

fn all_reads(purchases: &[Purchase]) -> Vec<(usize, &Sent)> {
    let reads = |(index, purchase)| {
        let purchase: &Purchase = purchase;
        purchase.reading.product_reads().map(move |sent| (index, sent))
    };
    purchases.iter().enumerate().flat_map(reads).collect()
}

fn waiting((index, purchase): (usize, &Purchase)) -> Vec<(usize, &Sent)> {
    let waited = purchase.reading.statements.iter().filter(|sent| sent.has_waited);
    waited.map(|sent| (index, sent)).collect()
}
