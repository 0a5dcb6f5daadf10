//! The options of a benchmark.

use serde::Serialize;

/// How a benchmark is to be run.
#[derive(Clone, Debug, Serialize)]
pub struct BenchOptions {
    /// The strategies, by name; all of them when there is no name.
    pub strategies: Vec<String>,
    /// How many buyers there are at once. Each number has rounds of its own.
    pub buyers: Vec<usize>,
    /// How many products are sold at once. Each number has rounds of its own.
    pub products: Vec<usize>,
    /// How many rounds each strategy has.
    pub rounds: usize,
    /// How long a round is.
    pub seconds: f64,
    /// Open loop: how many purchases are due in a second. `None`: closed loop, each buyer buys again at once.
    pub rate: Option<f64>,
    /// Whether pgbench takes its turn between the rounds.
    pub pgbench: bool,
    /// Whether the shop is a release build.
    pub release: bool,
}

impl BenchOptions {
    /// Numbers of buyers and products, each pair of which is measured.
    pub fn crowds(&self) -> Vec<(usize, usize)> {
        let pair = |buyers: &usize| self.products.iter().map(move |products| (*buyers, *products)).collect();
        self.buyers.iter().flat_map(|buyers| -> Vec<(usize, usize)> { pair(buyers) }).collect()
    }
}
