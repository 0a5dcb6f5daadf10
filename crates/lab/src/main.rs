//! `lab`: runs the shop on this machine. Each command is a file in `commands/`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use flash_sale_core::environment;
use flash_sale_lab::{commands, project};

/// Runs the shop on this machine: PostgreSQL, the replicas, and the gateway before them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything, and return when the shop is open
    Up {
        /// Stay, and stop everything at Ctrl-C
        #[arg(long)]
        foreground: bool,
    },
    /// Stop everything
    Down,
    /// Replace the replicas by new processes, one after the other
    Restart,
    /// Show what runs
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the replicas' logs, and what is added to them
    Logs {
        /// Print what is there, and end
        #[arg(long)]
        no_follow: bool,
    },
    /// Open psql on the shop's database
    Psql {
        /// Arguments for psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Judge the running shop: is the bug gone?
    Check(commands::check::CheckArguments),
    /// Race the strategies: a crowd of buyers for too few copies, and what came of it
    Race(commands::race::RaceArguments),
    /// Do faults to the running shop while buyers buy: what they see, and what the ledger says
    Drill(commands::drill::DrillArguments),
    /// Stop everything, and remove the database and the logs
    Clean,
    /// Say the next of three hints
    Hint {
        /// Begin again with the first
        #[arg(long)]
        reset: bool,
    },
    /// After each save: build, replace the replicas, and judge
    Watch,
    /// Follow DETONADO.md in a copy of the project: it must lead from the bug to the fix
    TestGuide(commands::test_guide::TestGuideArguments),
    #[command(hide = true)]
    Serve,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if !matches!(&command, Command::Check(arguments) if !arguments.is_here()) {
        project::enter()?;
    }
    environment::load_dotenv(Path::new("."))?;
    let filter = environment::text(
        "RUST_LOG",
        if is_server(&command) {
            "info,sqlx::postgres::notice=warn"
        } else {
            "warn,sqlx::postgres::notice=off"
        },
    )?;
    env_logger::Builder::new().parse_filters(&filter).init();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(execute(command));
    // Not by dropping it: that would wait for a download that nobody waits for any more.
    runtime.shutdown_background();
    result
}

fn is_server(command: &Command) -> bool {
    matches!(command, Command::Serve)
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up { foreground } => commands::up::up(foreground).await?,
        Command::Down => commands::down::down().await?,
        Command::Restart => commands::restart::restart().await?,
        Command::Status { json } => commands::status::status(json).await?,
        Command::Logs { no_follow } => commands::logs::logs(!no_follow).await?,
        Command::Psql { arguments } => commands::psql::psql(&arguments).await?,
        // Its verdict is its exit code.
        Command::Check(arguments) => return commands::check::check(arguments).await,
        Command::Race(arguments) => return commands::race::race(arguments).await,
        Command::Drill(arguments) => return commands::drill::drill(arguments).await,
        Command::Clean => commands::clean::clean().await?,
        Command::Hint { reset } => commands::hint::hint(reset)?,
        Command::Watch => commands::watch::watch().await?,
        Command::TestGuide(arguments) => commands::test_guide::test_guide(arguments).await?,
        Command::Serve => commands::serve::serve().await?,
    }
    Ok(ExitCode::SUCCESS)
}
