//! One replica of the shop. Start with `routes.rs` (what it answers) and `server.rs` (how it runs).

use std::path::Path;
use std::process::ExitCode;

use flash_sale_core::environment;
use flash_sale_web::{server, settings::Settings};

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
    environment::load_dotenv(Path::new("."))?;
    let settings = Settings::from_environment()?;
    env_logger::Builder::new()
        .parse_filters(&settings.log_filter)
        .format_timestamp_millis()
        .format_target(false)
        .init();
    actix_web::rt::System::new().block_on(server::run(settings))
}
