//! The meaning of each figure of a race. It is written in this place only.

use crate::definitions::{self, Definition};

/// Each figure: its name in JSON and CSV, and what it is. Some figures have a shorter name in the tables.
pub const DEFINITIONS: [Definition; 20] = [
    (
        "rounds",
        "sales, each of its own product to the whole crowd; the other figures are sums over all rounds",
    ),
    ("copies, buyers", "how many copies and buyers there were"),
    ("sold", "orders in the database"),
    ("oversold", "orders beyond the copies"),
    ("oversold_rounds", "rounds with such an order"),
    (
        "lost_sales",
        "lost: copies that were left although buyers wanted them (buyers who may not try again don't count), or \
         buyers who were told \"Out of stock\" while there was a copy",
    ),
    ("refused", "buyers who were told \"Out of stock\" (400)"),
    ("gave_up", "buyers who were only told to try again, until their patience ran out"),
    ("errors", "buyers who got no answer, or the answer that the shop has failed; they don't try again"),
    ("dishonest", "answers without their order, and orders without their answer"),
    ("unconserved_rounds", "rounds in which initial stock - orders - holds is not the stock"),
    (
        "verdict",
        "ok, or the rule that was broken; unlocked must oversell (expected), and the exercise may oversell until it \
         is fixed (allowed)",
    ),
    ("conflicts", "409: answers that others were faster, try again"),
    ("busy", "503: answers that the shop is too busy, try again; declined payments (402) too"),
    ("requests, retries", "requests of the buyers, and how many of these were not the first of their buyer"),
    (
        "winners_p50_ms",
        "p50, p95, p99 of the buyers who got a copy: from first request to last answer, pauses included",
    ),
    ("losers_p50_ms", "p50, p95, p99 of the buyers who were refused or gave up"),
    (
        "sold_per_second",
        "sold/s: orders for each second between the first request of a round and its last 200",
    ),
    ("replicas", "how many buyers got their last answer from each replica (JSON only)"),
    ("failures", "what the errors were (JSON, and below the tables)"),
];

/// The definitions, as `--help` shows them.
pub fn text() -> String {
    definitions::text(&DEFINITIONS)
}

#[cfg(test)]
mod tests {
    use super::super::report::Raced;
    use super::*;

    #[test]
    fn every_figure_is_defined() {
        // p95 and p99 are defined with p50.
        let with_p50 = |name: &str| name.replace("p95", "p50").replace("p99", "p50");
        definitions::assert_define(&DEFINITIONS, Raced::default(), with_p50);
    }
}
