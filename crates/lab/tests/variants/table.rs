//! The variants, and what `lab check` must say of each.

use super::model::Model::{self, Begin, Commit, Insert, Lock, Read, ReadLocked, Take, TakeIfAny};

/// The wrong fixes that the walkthrough shows, in its order. It has their text.
pub const OF_THE_GUIDE: [&str; 3] = ["mutex-in-process", "looks-twice", "repeatable-read"];

/// A patch, and what the check must say of it.
pub struct Variant {
    pub name: &'static str,
    pub verdict: &'static str,
    /// The checks that must fail.
    pub failed: &'static [&'static str],
    /// The checks that may fail as well. That depends on which buyers happen to meet.
    pub maybe: &'static [&'static str],
    /// The name that the mistake must get. Empty: it is a fix, and has none.
    pub mistake: &'static str,
    /// What a purchase sends, for the independent model, which counts the interleavings. Empty: the model has no words
    /// for it.
    pub sends: &'static [Model],
}

pub const AS_SHIPPED: &[Model] = &[Begin, Read, Insert, Take, Commit];
pub const WITH_ROW_LOCK: &[Model] = &[Begin, ReadLocked, Insert, Take, Commit];

const fn fixed(name: &'static str) -> Variant {
    Variant { name, verdict: "fixed", failed: &[], maybe: &[], mistake: "", sends: &[] }
}

const fn not_fixed(name: &'static str, failed: &'static [&'static str]) -> Variant {
    Variant { verdict: "not_fixed", failed, ..fixed(name) }
}

const fn oversold(name: &'static str, failed: &'static [&'static str]) -> Variant {
    Variant { verdict: "oversold", failed, ..fixed(name) }
}

impl Variant {
    const fn or(self, maybe: &'static [&'static str]) -> Self {
        Self { maybe, ..self }
    }

    const fn is(self, mistake: &'static str) -> Self {
        Self { mistake, ..self }
    }

    const fn sends(self, sends: &'static [Model]) -> Self {
        Self { sends, ..self }
    }

    pub fn is_a_patch(&self) -> bool {
        self.name != "shipped" && !OF_THE_GUIDE.contains(&self.name)
    }
}

pub const VARIANTS: &[Variant] = &[
    oversold("shipped", &["one click", "crowd of 50", "crowd of 200"]).is("no_lock").sends(AS_SHIPPED),
    fixed("guide-fix").sends(WITH_ROW_LOCK),
    fixed("atomic-update").sends(&[Begin, Read, TakeIfAny, Insert, Commit]),
    fixed("optimistic"),
    fixed("nowait"),
    not_fixed("lock-in-get-by-id", &["readers don't wait"]).is("lock_too_broad"),
    not_fixed("lock-on-the-table", &["other products don't wait"]).is("lock_too_broad"),
    // The second request of a click comes just late enough. The requests of a crowd don't.
    not_fixed("lock-after-insert", &["no lost sale", "no failures"]).is("lock_after_insert").or(&[
        "one click",
        "crowd of 50",
        "crowd of 200",
    ]),
    oversold("mutex-in-process", &["one click", "crowd of 50", "other products don't wait"])
        .is("guard_in_one_process")
        .or(&["crowd of 200"])
        .sends(AS_SHIPPED),
    // With the proof, it is known to oversell. Without the proof, the clicks don't show it.
    Variant {
        verdict: "not_fixed or oversold",
        ..not_fixed("one-replica", &["other products don't wait", "replicas", "retry"])
            .is("guard_in_one_process")
    },
    oversold("retry-removed", &["crowd of 50", "crowd of 200", "retry"])
        .is("retry_missing")
        .sends(AS_SHIPPED),
    not_fixed("retry-removed-and-fixed", &["retry"]).is("retry_missing").sends(WITH_ROW_LOCK),
    Variant {
        name: "window-zero",
        verdict: "not_fixed or oversold",
        failed: &["race window", "retry"],
        maybe: &["one click", "crowd of 50", "crowd of 200"],
        mistake: "payment_cut_short",
        sends: AS_SHIPPED,
    },
    not_fixed("window-zero-and-fixed", &["race window", "retry"])
        .is("payment_cut_short")
        .sends(WITH_ROW_LOCK),
    oversold("atomic-update-unread", &["one click", "crowd of 50", "crowd of 200", "conservation"])
        .is("unread_row_count"),
    not_fixed("optimistic-without-retry", &["no lost sale"])
        .is("conflict_without_retry")
        .or(&["crowd of 200"]),
    // PostgreSQL may also take two purchases of different products for a conflict.
    not_fixed("serializable-without-retry", &["one click", "no lost sale", "no failures"])
        .is("conflict_without_retry")
        .or(&["crowd of 200", "other products don't wait"]),
    not_fixed("check-constraint-only", &["one click", "no failures", "no constraint"])
        .is("constraint_without_answer")
        .or(&["crowd of 200"]),
    not_fixed("check-constraint-swallowed", &["one click", "honest answers", "no constraint"])
        .is("untrue_answer"),
    not_fixed("constraint-and-fixed", &["no constraint"]).is("constraint_added"),
    not_fixed("never-returns", NOTHING_SOLD).is("fails_alone"),
    not_fixed("panics", NOTHING_SOLD).is("fails_alone").or(&["retry"]),
    not_fixed("exits", NOTHING_SOLD).is("fails_alone").or(&["retry", "conservation", "honest answers"]),
    fixed("no-key-update").sends(WITH_ROW_LOCK),
    fixed("advisory-lock").sends(&[Begin, Lock, Read, Insert, Take, Commit]),
    fixed("session-advisory-lock"),
    fixed("lock-after-payment").sends(&[Begin, Read, ReadLocked, Insert, Take, Commit]),
    fixed("decrement-first"),
    fixed("locked-and-set").sends(WITH_ROW_LOCK),
    fixed("serializable-with-retry"),
    fixed("in-a-function"),
    fixed("lock-with-a-limit"),
    fixed("single-statement").sends(&[Begin, Read, TakeIfAny, Commit]),
    oversold("lost-update", &["one click", "crowd of 50", "crowd of 200", "conservation"]).is("lost_update"),
    // A purchase needs two connections at once, and a crowd takes all of them.
    oversold("lock-outside-the-transaction", &["one click", "crowd of 50", "crowd of 200"])
        .is("lock_outside_transaction")
        .or(&["no failures"]),
    // Buyers who have inserted their orders hold a key lock on the product's row, and want to write the row. A buyer who
    // waits for FOR UPDATE stands before them in the queue, and waits for their key locks. PostgreSQL ends this deadlock.
    // It depends on which buyers happen to meet.
    oversold("lock-given-up-before-payment", &["one click", "crowd of 50", "crowd of 200"])
        .is("lock_given_up_early")
        .or(&["no failures"]),
    oversold("lock-the-orders", &["one click", "crowd of 50", "crowd of 200"]).is("lock_elsewhere"),
    // The oversold copy goes to a buyer by chance: to one who looks again before the first one commits.
    oversold("looks-twice", &[])
        .is("second_look")
        .or(&["crowd of 50", "crowd of 200", "one click"])
        .sends(&[Begin, Read, Read, Insert, Take, Commit]),
    oversold("jitter", &["crowd of 50", "crowd of 200", "one click"]).is("no_lock"),
    // It oversells in the first round. From the second round on, nothing is sold.
    oversold("sold-out-set", &["one click", "no lost sale"]).is("guard_in_one_process").or(&[
        "crowd of 50",
        "crowd of 200",
        "retry",
    ]),
    not_fixed("one-advisory-lock", &["other products don't wait"]).is("lock_too_broad"),
    not_fixed("one-at-a-time", &["other products don't wait"]).is("lock_too_broad"),
    not_fixed("for-share", &["one click", "no lost sale", "no failures"])
        .is("lock_too_weak")
        .or(&["crowd of 50", "crowd of 200"]),
    not_fixed("repeatable-read", &["one click", "no lost sale", "no failures"])
        .is("conflict_without_retry")
        .or(&["crowd of 200"]),
    not_fixed("unique-order", &["one click", "crowd of 200", "no lost sale", "no failures", "no constraint"])
        .is("constraint_without_answer"),
    // A buyer who is told yes without a sale has not paid either.
    not_fixed("says-yes-to-the-loser", &["one click", "honest answers"])
        .is("untrue_answer")
        .or(&["race window"]),
    not_fixed("refuses-everybody", NOTHING_SOLD_BUT_ANSWERED).is("refuses_everybody").or(&["retry"]),
    not_fixed("panics-for-the-loser", &["one click", "crowd of 200", "no failures"])
        .is("late_buyer_meets_failure"),
    not_fixed(
        "never-commits",
        &["one click", "crowd of 50", "crowd of 200", "honest answers", "no lost sale"],
    )
    .is("never_commits"),
    not_fixed("skip-locked", &["one click", "no lost sale", "no failures"])
        .is("row_skipped")
        .or(&["crowd of 50", "crowd of 200"]),
];

/// The checks that must fail for a shop that doesn't even sell to a buyer who is alone.
const NOTHING_SOLD: &[&str] = &[
    "one click",
    "crowd of 50",
    "crowd of 200",
    "no lost sale",
    "readers don't wait",
    "other products don't wait",
    "no failures",
    "replicas",
    "race window",
];

/// The same as [`NOTHING_SOLD`], for a shop that quickly tells each buyer that nothing is sold.
const NOTHING_SOLD_BUT_ANSWERED: &[&str] = &[
    "one click",
    "crowd of 50",
    "crowd of 200",
    "no lost sale",
    "other products don't wait",
    "replicas",
    "race window",
];
