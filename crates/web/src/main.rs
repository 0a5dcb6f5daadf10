//! One replica of the shop. Start with `routes.rs` (what it answers) and `server.rs` (how it runs).

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use flash_sale_core::environment;
use flash_sale_web::{healthcheck, server, settings::Settings};

const HEALTHCHECK: &str = "healthcheck";
const USAGE: &str = "usage: flash-sale-web              runs one replica
       flash-sale-web healthcheck  succeeds when it answers";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let command = env::args().nth(1);
    if let Some(unknown) = command.as_deref().filter(|command| *command != HEALTHCHECK) {
        bail!("there is no command {unknown}\n{USAGE}");
    }
    environment::load_dotenv(Path::new("."))?;
    let settings = Settings::from_environment()?;
    let runtime = actix_web::rt::System::new();
    if command.is_some() {
        return runtime.block_on(healthcheck::check(&settings));
    }
    env_logger::Builder::new()
        .parse_filters(&settings.log_filter)
        .format_timestamp_millis()
        .format_target(false)
        .init();
    runtime.block_on(server::run(settings))
}
