//! The meaning of each figure of a benchmark. It is written in this place only.

use crate::definitions::{self, Definition};

/// Each figure: its name in JSON and CSV, and what it is. Some figures have a shorter name in the tables.
pub const DEFINITIONS: [Definition; 17] = [
    ("buyers, products", "how many buyers buy at once, and how many products they buy: 1 is one hot row"),
    ("rounds", "rounds that were measured. Figures are medians or sums over the rounds"),
    (
        "ledger",
        "right, or what is wrong. It compares the answers with the rows after each round. A strategy with a wrong \
         ledger has no figures",
    ),
    ("purchases", "orders that buyers were told of, in all rounds"),
    (
        "per_second",
        "sold/s: purchases whose answer came before the end of their round, for each second of it: the median of the \
         rounds, with per_second_min and per_second_max",
    ),
    ("per_second_min, per_second_max", "the slowest and the fastest round"),
    ("pgbench_script", "the strategy whose statements pgbench sent"),
    (
        "pgbench_per_second",
        "pgbench: transactions a second with the same statements, straight to the same server, with as many clients \
         as there are buyers (256 at most)",
    ),
    (
        "ratio",
        "sold/s divided by pgbench's figure of the same round: the median, with ratio_min and ratio_max. Compare \
         ratios, and not the figures of two runs",
    ),
    ("ratio_min, ratio_max", "the smallest and the largest ratio of a round"),
    (
        "p50_ms, p99_ms, max_ms",
        "how long a buyer waited for the order, with all pauses; with --rate, from the moment when the purchase was \
         due, also when it was sent late",
    ),
    (
        "conflicts, busy, gave_up",
        "409 and 503: answers to try again, which buyers do after a pause; and buyers who had still to do so at the end",
    ),
    (
        "errors",
        "purchases whose buyers got no answer, or one that leaves the outcome open; failures says which",
    ),
    (
        "dropped",
        "with --rate: purchases that were due and that no connection was free for within a second, and those that \
         were never answered",
    ),
    (
        "replicas_cpu_us, gateway_cpu_us, postgresql_cpu_us, load_cpu_us",
        "processor time for each purchase, in microseconds. The gateway and the load are threads of one process, the \
         lab",
    ),
    (
        "load_share",
        "the part of that time that the buyers took. Where it is large, the load is in the way, and not the shop",
    ),
    ("processors_used", "how many processors were busy with all of that, on average"),
];

/// The definitions, as `--help` shows them.
pub fn text() -> String {
    definitions::text(&DEFINITIONS)
}

#[cfg(test)]
mod tests {
    use super::super::report::BenchRow;
    use super::*;

    #[test]
    fn every_figure_is_defined() {
        definitions::assert_define(&DEFINITIONS, BenchRow::default(), str::to_owned);
    }
}
