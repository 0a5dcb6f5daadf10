//! pgbench: PostgreSQL's own program for measuring. It sends the same statements as the strategies, straight to the
//! same server, so it shows what the server can do without a shop. Start with [`Pgbench::run`].

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, bail, ensure};
use flash_sale_core::secret::Secret;
use flash_sale_testbed::guard::GuardedCommand;
use flash_sale_testbed::postgres::programs::find_client;
use url::Url;
use uuid::Uuid;

use crate::project;

/// pgbench takes no more scripts, and each product has one.
pub const MOST_PRODUCTS: usize = 128;

/// Each client is a process of PostgreSQL. More of them would not fit into the memory of a small machine.
pub const MOST_CLIENTS: usize = 256;
/// pgbench's time runs from before its clients connect, and its rate from after that. Each proves its password, so that of
/// 256 clients none may have sold anything in a second.
const CLIENTS_THAT_CONNECT_IN_A_SECOND: u64 = 64;

/// The statements of a sale, as a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Script {
    /// Five statements with FOR UPDATE.
    Pessimistic,
    /// Five statements with FOR NO KEY UPDATE.
    NoKeyUpdate,
    /// Four statements.
    AtomicUpdate,
    /// One statement.
    SingleStatement,
    /// Four statements. The product's stock is spread over buckets.
    StockBuckets,
}

impl Script {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pessimistic, Self::NoKeyUpdate, Self::AtomicUpdate, Self::SingleStatement, Self::StockBuckets];

    /// The script that a strategy is compared with: its own one, or that of `pessimistic`.
    pub fn of(strategy: &str) -> Self {
        match strategy {
            "no_key_update" => Self::NoKeyUpdate,
            "atomic_update" => Self::AtomicUpdate,
            "single_statement" => Self::SingleStatement,
            "stock_buckets" => Self::StockBuckets,
            _ => Self::Pessimistic,
        }
    }

    /// The name of the strategy whose statements these are.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pessimistic => "pessimistic",
            Self::NoKeyUpdate => "no_key_update",
            Self::AtomicUpdate => "atomic_update",
            Self::SingleStatement => "single_statement",
            Self::StockBuckets => "stock_buckets",
        }
    }

    /// The statements, with `:product` and `:served_by` in place of values.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Pessimistic => include_str!("pgbench/pessimistic.sql"),
            Self::NoKeyUpdate => include_str!("pgbench/no_key_update.sql"),
            Self::AtomicUpdate => include_str!("pgbench/atomic_update.sql"),
            Self::SingleStatement => include_str!("pgbench/single_statement.sql"),
            Self::StockBuckets => include_str!("pgbench/stock_buckets.sql"),
        }
    }
}

/// An installed pgbench, and the server that it measures.
pub struct Pgbench {
    program: PathBuf,
    /// The database's URL without the password: everybody on the machine can read arguments.
    url: String,
    password: Secret,
}

/// What pgbench has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PgbenchRound {
    /// Transactions a second, without the time that its connections took to open.
    pub per_second: f64,
    /// How many transactions there were.
    pub transactions: usize,
}

impl Pgbench {
    /// Finds the program. `None`: it isn't installed.
    ///
    /// # Errors
    /// When a variable that names folders can't be read.
    pub fn find(database_url: &Secret) -> anyhow::Result<Option<Self>> {
        let Some(program) = find_client("pgbench", Path::new(project::PROGRAMS))? else { return Ok(None) };
        let mut url = Url::parse(database_url.reveal()).context("the database's URL")?;
        let password = Secret::new(url.password().unwrap_or_default().to_owned());
        // It can't fail: the URL has a host.
        let _ = url.set_password(None);
        Ok(Some(Self { program, url: url.into(), password }))
    }

    /// Sells the products for so many whole seconds, with so many clients at once, but no more than
    /// [`MOST_CLIENTS`].
    ///
    /// # Errors
    /// When pgbench fails. The error holds the end of its output.
    pub async fn run(
        &self,
        script: Script,
        products: &[Uuid],
        clients: usize,
        seconds: u64,
    ) -> anyhow::Result<PgbenchRound> {
        let clients = clients.min(MOST_CLIENTS);
        let folder = std::path::absolute(project::BENCH)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(clients);
        let mut arguments = vec!["--no-vacuum".to_owned(), "--protocol=prepared".to_owned()];
        arguments.push(format!("--client={clients}"));
        arguments.push(format!("--jobs={threads}"));
        arguments.push(format!("--time={}", seconds + clients as u64 / CLIENTS_THAT_CONNECT_IN_A_SECOND));
        for (number, product) in products.iter().enumerate() {
            let path = folder.join(format!("pgbench-{number}.sql"));
            let sql =
                script.sql().replace(":product", &format!("'{product}'")).replace(":served_by", "'pgbench'");
            fs::write(&path, sql).with_context(|| format!("can't write {}", path.display()))?;
            arguments.push(format!("--file={}", path.display()));
        }
        arguments.push(self.url.clone());

        let path = folder.join("pgbench.log");
        let log = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
        let command = GuardedCommand::new(&self.program);
        let command =
            command.args(&arguments).envs([("PGPASSWORD", self.password.reveal())]).directory(&folder);
        let mut running = command.start(log).await.context("can't start pgbench")?;
        let status = running.wait().await?;
        read(&fs::read_to_string(&path)?, status)
    }
}

/// Reads what pgbench has printed. Older versions print two rates; the last one is without the opening of connections.
fn read(output: &str, status: ExitStatus) -> anyhow::Result<PgbenchRound> {
    let number = |name: &str| {
        let line = output.lines().rev().find_map(|line| line.trim().strip_prefix(name))?;
        line.split_whitespace().next()?.split('/').next()?.parse::<f64>().ok()
    };
    if !status.success() {
        let end: Vec<&str> = output.lines().rev().take(5).collect();
        bail!("pgbench failed ({status}): {}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    let per_second = number("tps = ").context("pgbench printed no rate")?;
    let transactions = number("number of transactions actually processed: ");
    let transactions = transactions.context("pgbench printed no number of transactions")? as usize;
    ensure!(transactions > 0, "pgbench sold nothing");
    Ok(PgbenchRound { per_second, transactions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_without_connecting_is_read_from_old_and_new_versions() {
        let new = "number of transactions actually processed: 1234\nnumber of failed transactions: 0 (0.000%)\n\
                   latency average = 1.5 ms\ninitial connection time = 9.1 ms\n\
                   tps = 1240.25 (without initial connection time)\n";
        let old = "number of transactions actually processed: 1234/5000\n\
                   tps = 1200.5 (including connections establishing)\n\
                   tps = 1240.25 (excluding connections establishing)\n";

        for output in [new, old] {
            let round = read(output, ExitStatus::default()).unwrap();
            assert_eq!(round, PgbenchRound { per_second: 1240.25, transactions: 1234 });
        }
        assert!(read("pgbench: error: no\n", ExitStatus::default()).is_err());
    }

    #[test]
    fn each_script_is_that_of_its_strategy() {
        for script in Script::ALL {
            assert_eq!(Script::of(script.name()), script);
            assert!(
                script.sql().contains(&format!("of {}, as a replica", script.name())),
                "{}",
                script.sql()
            );
        }
        assert_eq!(Script::of("batched"), Script::Pessimistic);
    }
}
