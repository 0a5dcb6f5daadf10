//! The meaning of each figure of a drill. It is written in this place only.

use crate::definitions::{self, Definition};

/// Each figure: its name in JSON, and what it is. Some figures have a shorter name in the tables.
pub const DEFINITIONS: [Definition; 31] = [
    ("fault, times", "what was done (--list says more), and how many times"),
    ("survived, broken", "verdict: survived, or what was broken of what follows"),
    ("purchases", "copies that buyers wanted"),
    ("requests", "how many times they asked: with an Idempotency-Key, again until the outcome is known"),
    ("ok_200", "200: sold"),
    ("out_of_stock_400", "400: told \"Out of stock\""),
    ("conflict_409", "409: told that others were faster, or that the key's first request is still worked on"),
    ("not_carried_out_503", "503: with Retry-After, a purchase that was not made and never will be"),
    (
        "outcome_unknown_503",
        "unknown: 503 that says that the outcome is not known; only where something ends that had requests to \
         answer",
    ),
    ("no_answer", "the connection broke after the request was sent, and how: an unknown outcome too"),
    ("left", "the buyer closed the connection before the answer: an unknown outcome too"),
    ("settled", "purchases whose outcome was unknown until the same key settled it"),
    ("unsettled", "purchases with a key whose buyer left, and which the key did not settle: none may be"),
    ("wrong", "any other answer, and connections that were refused: none may be"),
    ("longest_ms", "longest: the longest wait for an answer; at most 10 s"),
    (
        "orders",
        "in the database, of all products of the fault; of the book, those that resets deleted included",
    ),
    (
        "unconserved",
        "conservation: products, or moments of the book, with initial stock - orders other than the stock",
    ),
    ("oversold", "orders beyond the copies; the exercise may until somebody has fixed it"),
    (
        "lost_sales",
        "lost: told \"Out of stock\" before the last copy was sold; can't be known of the book while \
         it is reset",
    ),
    (
        "dishonest",
        "honest answers: answers without their order, and orders of which no buyer was told, but for the unknown outcomes \
         without a key; orders recorded for a key whose buyer was told 503, not carried out",
    ),
    (
        "not_there_when_told",
        "not yet, honest answers too: orders that were not in the database when their buyers were told of them; the \
         book's are not looked for",
    ),
    ("committed_later", "later, honest answers too: orders that came or went after the last answer"),
    ("recovery_ms", "recovery: from the end of the fault to the first 200; at most 1 s"),
    ("recovery_of_all_ms", "of all: the same, to the first 200 by each strategy; at most 3 s"),
    ("replica_away_ms", "away: until a killed replica was replaced; at most 1 s"),
    (
        "health_p99_ms, health_longest_ms",
        "/health of the replicas that should answer, asked every 50 ms, as the prober saw it",
    ),
    (
        "health_late",
        "late: answers of /health that had not come after 50 ms, the time taken off \
         in which the machine had no processor for the replica",
    ),
    (
        "left_in_transaction",
        "open: the shop's database sessions that were idle in a transaction for a second longer than the race window, \
         or in one a second after the last buyer: none may be; sessions of a replica that stands still don't count",
    ),
    (
        "leaving",
        "who left: buyers who left before the answer (left), and buyers who meant to leave and got the answer first (answered); in \
         how many tenths of a request's life somebody left (parts_of_life, of the strategy with the fewest: at least 8 \
         of 10), and how long it is for each strategy (life_ms); purchases with a key that had been made when their \
         buyers came back (made) and that had not (taken_back). Where one of them is missing, the fault was not met",
    ),
    (
        "ready_near_ms, ready_far_ms",
        "the shortest of ten times that /ready took before the database went far away, and meanwhile: the second is \
         longer by the way there and back, or the fault was not met",
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
        let row = serde_json::to_value(DrillRow::default()).unwrap();

        for name in row.as_object().unwrap().keys() {
            assert!(definitions::contains(&DEFINITIONS, name), "{name}");
        }
    }
}
