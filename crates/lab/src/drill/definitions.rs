//! The meaning of each figure of a drill. It is written in this place only.

use crate::definitions::{self, Definition};

/// Each figure: its name in JSON, and what it is. Some figures have a shorter name in the tables.
pub const DEFINITIONS: [Definition; 32] = [
    ("fault, times", "what was done (--list says more), and how many times"),
    ("survived, broken", "verdict: survived, or the rules below that were broken"),
    ("purchases", "copies that buyers wanted"),
    ("requests", "requests of the buyers; a buyer with an Idempotency-Key asks until the outcome is known"),
    ("ok_200", "200: sold"),
    ("out_of_stock_400", "400: told \"Out of stock\""),
    ("conflict_409", "409: told that others were faster, or that the key's first request is still worked on"),
    (
        "not_carried_out_503",
        "503: with Retry-After, a purchase that was not made and never will be; a declined payment (402) too",
    ),
    (
        "outcome_unknown_503",
        "unknown: 503 with an unknown outcome; allowed only if a process or a session with open requests ends",
    ),
    (
        "no_answer",
        "how often the connection broke after the request was sent, and how; the outcome is unknown, too",
    ),
    ("left", "the buyer closed the connection before the answer; the outcome is unknown, too"),
    ("settled", "purchases whose outcome was unknown until the same key settled it"),
    (
        "unsettled",
        "purchases of buyers who left and came back with the key, and did not learn the outcome; must be 0",
    ),
    ("wrong", "other answers, and refused connections; must be 0"),
    ("longest_ms", "longest: the longest wait for an answer; at most 10 s"),
    (
        "orders",
        "orders in the database, for all products of the fault; for the book, orders that resets deleted count, too",
    ),
    (
        "unconserved",
        "conservation: how often initial stock - orders - holds was not the stock: each product counts once, the book at each \
         look",
    ),
    ("oversold", "orders beyond the copies; allowed for the exercise until it is fixed"),
    (
        "lost_sales",
        "lost: buyers who were told \"Out of stock\" before the last copy was sold; not counted for the \
         book while it is reset",
    ),
    (
        "dishonest",
        "honest answers: answers without their order; orders without their answer, unless the outcome is unknown and \
         there was no key; orders with a key whose buyer was told 503 (not carried out)",
    ),
    (
        "not_there_when_told",
        "not yet, honest answers too: orders that were not in the database when their buyers were told of them; not counted \
         for the book",
    ),
    ("committed_later", "later, honest answers too: orders that came or went after the last answer"),
    ("recovery_ms", "recovery: from the end of the fault to the first 200; at most 1 s"),
    ("recovery_of_all_ms", "of all: the same, to the first 200 by each strategy; at most 3 s"),
    ("replica_away_ms", "away: until a killed replica was replaced; at most 1 s"),
    (
        "health_p99_ms, health_longest_ms",
        "how long /health took, asked every 50 ms, for replicas that should answer",
    ),
    (
        "health_late",
        "late: answers of /health that took longer than 50 ms; time in which the machine gave the \
         replica no processor does not count",
    ),
    (
        "left_in_transaction",
        "open: the shop's database sessions that were idle in a transaction for a second longer than the race window, \
         or still in a transaction a second after the last buyer; must be 0; sessions of a frozen replica don't count",
    ),
    (
        "leaving",
        "who left: buyers who left before the answer (left); buyers who wanted to leave, but got the answer first \
         (answered); tenths of a request's life in which a buyer left (parts_of_life: the lowest of all strategies, \
         at least 8 of 10); the length of a request's life for each strategy (life_ms); purchases with a key that had \
         been made when their buyers came back (made), or had been taken back (taken_back). If one of these is \
         missing, the fault did not happen as planned",
    ),
    (
        "ready_near_ms, ready_far_ms",
        "the shortest of ten answers of /ready: before the database was moved away (near), and then (far). If far is \
         not longer by the way there and back, the fault did not happen as planned",
    ),
    (
        "lost_answers",
        "COMMIT's answer lost: how many answers were lost (answers; purchases that are committed together share \
         one); for each strategy, buyers without a key who were told that the outcome is unknown (without_key), and \
         buyers with a key who were told so and then learned it (settled), or did not (unsettled; must be 0). If an \
         answer, without_key or settled is missing, the fault did not happen as planned",
    ),
    (
        "soak",
        "resident memory, open files and database sessions at its start and end; growth: memory by more than a \
         quarter and 16 MiB, files by more than 32, sessions beyond what the pools may hold",
    ),
];

/// The definitions, as `--help` shows them.
pub fn text() -> String {
    definitions::text(&DEFINITIONS)
}

#[cfg(test)]
mod tests {
    use super::super::report::DrillRow;
    use super::*;

    #[test]
    fn every_figure_is_defined() {
        definitions::assert_define(&DEFINITIONS, DrillRow::default(), str::to_owned);
    }
}
