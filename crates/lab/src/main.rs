//! `lab`: runs the shop on this machine. Each command is a file in `commands/`.

// As in the library: `console` prints.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use flash_sale_core::environment;
use flash_sale_lab::advice::told_with_advice;
use flash_sale_lab::build::Show;
use flash_sale_lab::{commands, console, project};

/// Runs the shop on this machine: PostgreSQL, the replicas, and the gateway before them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what has changed, start everything, and return when the shop is open
    Up {
        /// Stay, and stop everything at Ctrl-C
        #[arg(long)]
        foreground: bool,
        #[command(flatten)]
        build: BuildArguments,
    },
    /// Stop everything
    Down,
    /// Build what has changed, and replace the replicas by new processes, one after the other
    Restart {
        #[command(flatten)]
        build: BuildArguments,
    },
    /// Show what runs
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the replicas' logs in the order of time, and what is added to them
    Logs {
        /// Print all that is there, and end
        #[arg(long)]
        no_follow: bool,
    },
    /// Print a click: what each purchase sent to PostgreSQL, side by side
    Timeline(commands::timeline::TimelineArguments),
    /// Open psql on the shop's database
    Psql {
        /// Arguments for psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Judge the running shop: is the bug gone? The shop is reset, and its orders are deleted
    Check(commands::check::CheckArguments),
    /// Race the strategies: a crowd of buyers for too few copies, and what came of it
    Race(commands::race::RaceArguments),
    /// Measure how much each strategy sells in a second, beside pgbench, on a shop of its own
    Bench(commands::bench::BenchArguments),
    /// Cause faults in the running shop while buyers buy: what buyers see, and what the ledger says
    Drill(commands::drill::DrillArguments),
    /// Play a few purchases in every order in which their statements can follow one another, and count what comes of it
    Explore(commands::explore::ExploreArguments),
    /// Make one purchase on each replica, and find in its SQL whether two purchases at once could do harm
    Predict(commands::predict::PredictArguments),
    /// Let two purchases go on, step by step, and see what PostgreSQL does
    Step(commands::step::StepArguments),
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
    /// The wiretap and the dashboard alone, for replicas that run in containers
    #[command(hide = true)]
    Tap(commands::tap::TapArguments),
    /// Make the pictures of DETONADO.md anew, from real clicks
    #[command(hide = true)]
    GuidePictures,
    /// Click once while payments take 3 s, for the dashboard's page of the same name
    #[command(hide = true)]
    SlowMotion,
    #[command(hide = true)]
    Serve {
        /// The shop's program
        binary: PathBuf,
    },
}

/// How to build.
#[derive(Args)]
struct BuildArguments {
    /// All was built just now, and the build said so
    #[arg(long, hide = true)]
    built: bool,
}

impl BuildArguments {
    fn show(&self) -> Show {
        if self.built { Show::Messages } else { Show::All }
    }
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return commands::usage::tell_usage(&error),
    };
    let (tell, json): (fn(&anyhow::Error, bool) -> ExitCode, bool) = match &command {
        Command::Check(arguments) => (commands::check::tell_error, arguments.json),
        Command::Explore(arguments) => (commands::explore::tell_error, arguments.json),
        Command::Predict(arguments) => (commands::predict::tell_error, arguments.json),
        Command::Bench(arguments) => (commands::explore::tell_error, arguments.json),
        _ => (tell_error, false),
    };
    let code = run(command).unwrap_or_else(|error| tell(&error, json));
    // A script that asked for a verdict must see that there is none.
    console::failure().map_or(code, |error| tell(&error, false))
}

/// Says why the command has failed. These commands print no JSON then.
fn tell_error(error: &anyhow::Error, _json: bool) -> ExitCode {
    console::error_line(format_args!("error: {}", told_with_advice(error)));
    ExitCode::FAILURE
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if !is_of_another_shop(&command) {
        project::enter()?;
    }
    let default = log_filter(&command);
    let filter = environment::prepare(Path::new(".")).and_then(|()| environment::text("RUST_LOG", default));
    let filter = match filter {
        Err(error) if !needs_settings(&command) => {
            console::error_line(format_args!("note: {error}"));
            default.to_owned()
        }
        filter => filter?,
    };
    // The form of the replicas' lines, which `lab logs` prints together with the server's.
    env_logger::Builder::new().parse_filters(&filter).format_timestamp_millis().format_target(false).init();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(execute(command));
    // Not by dropping it: that would wait for a download that nobody waits for any more.
    runtime.shutdown_background();
    result
}

/// Whether the shop that it is about runs elsewhere. Then there need not be a project folder.
fn is_of_another_shop(command: &Command) -> bool {
    match command {
        Command::Check(arguments) => !arguments.is_here(),
        Command::Tap(_) => true,
        _ => false,
    }
}

fn log_filter(command: &Command) -> &'static str {
    match command {
        Command::Serve { .. } => "info,sqlx::postgres::notice=warn",
        // What a connection meets is an error of the command, or a fault that was meant.
        _ => "warn,sqlx=off",
    }
}

/// The others must work whatever the settings are: somebody who has spoiled them must be able to stop what runs.
fn needs_settings(command: &Command) -> bool {
    !matches!(
        command,
        Command::Down
            | Command::Clean
            | Command::Status { .. }
            | Command::Logs { .. }
            | Command::Timeline(_)
            | Command::Hint { .. }
    )
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up { foreground, build } => commands::up::up(foreground, build.show()).await?,
        Command::Down => commands::down::down().await?,
        Command::Restart { build } => commands::restart::restart(build.show()).await?,
        Command::Status { json } => commands::status::status(json).await?,
        Command::Logs { no_follow } => commands::logs::logs(!no_follow).await?,
        Command::Timeline(arguments) => commands::timeline::timeline(&arguments).await?,
        Command::Psql { arguments } => commands::psql::psql(&arguments).await?,
        // Its verdict is its exit code.
        Command::Check(arguments) => return commands::check::check(arguments).await,
        Command::Race(arguments) => return commands::race::race(arguments).await,
        Command::Bench(arguments) => return commands::bench::bench(arguments).await,
        Command::Drill(arguments) => return commands::drill::drill(arguments).await,
        Command::Explore(arguments) => return commands::explore::explore(arguments).await,
        Command::Predict(arguments) => return commands::predict::predict(arguments).await,
        Command::Step(arguments) => return commands::step::step(arguments).await,
        Command::Clean => commands::clean::clean().await?,
        Command::Hint { reset } => commands::hint::hint(reset)?,
        Command::Watch => commands::watch::watch().await?,
        Command::TestGuide(arguments) => commands::test_guide::test_guide(arguments).await?,
        Command::Tap(arguments) => commands::tap::tap(arguments).await?,
        Command::GuidePictures => commands::guide_pictures::guide_pictures().await?,
        Command::SlowMotion => commands::slow_motion::slow_motion().await?,
        Command::Serve { binary } => commands::serve::serve(binary).await?,
    }
    Ok(ExitCode::SUCCESS)
}
