//! One replica of the shop. Start with `routes.rs` (what it answers) and `server.rs` (how it runs).

// They panic when nobody reads what they print.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use env_logger::Target;
use flash_sale_core::environment;
use flash_sale_web::{healthcheck, logger, server, settings::Settings};

const HEALTHCHECK: &str = "healthcheck";
const USAGE: &str = "usage: flash-sale-web              runs one replica
       flash-sale-web healthcheck  succeeds when it answers";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Perhaps nobody reads it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let command = env::args().nth(1);
    if let Some(unknown) = command.as_deref().filter(|command| *command != HEALTHCHECK) {
        bail!("there is no command {unknown}\n{USAGE}");
    }
    environment::prepare(Path::new("."))?;
    let settings = Settings::from_environment()?;
    let runtime = actix_web::rt::System::new();
    if command.is_some() {
        return runtime.block_on(healthcheck::check(&settings));
    }
    logger::start(&settings.log_filter, &settings.replica_name, Target::Stderr)?;
    runtime.block_on(server::run(settings))
}
