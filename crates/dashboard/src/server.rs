//! Runs the dashboard.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use flash_sale_http_guard::headers;

use crate::events::Places;
use crate::plays::Plays;
use crate::rooms::Rooms;
use crate::runs::Runs;
use crate::settings::DashboardSettings;
use crate::source::Source;
use crate::state_watch::StateWatch;
use crate::{middleware, routes};

/// One person looks at it, or a class.
const WORKERS: usize = 1;
/// How many connections the dashboard has at once. Each is one open file.
pub const MOST_CONNECTIONS: usize = 64;
/// In bytes. A form names a dozen strategies.
const LONGEST_FORM: usize = 8 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(6);
/// Streams of events never end by themselves, so the end does not wait for them for long.
const SHUTDOWN_SECONDS: u64 = 1;

/// Serves the dashboard on this listener, until the returned server is stopped by its handle.
///
/// # Errors
/// When the listener can't be used.
pub fn serve(
    listener: TcpListener,
    source: Source,
    rooms: Rooms,
    settings: DashboardSettings,
) -> io::Result<Server> {
    let places = web::Data::new(Places::default());
    let source = web::Data::new(source);
    let state = web::Data::new(StateWatch::new(rooms.shop));
    let runs = web::Data::new(Runs::new(rooms.engine, Source::clone(&source)));
    let plays = web::Data::new(Plays::new(rooms.scheduler));
    let bench_reports = web::Data::from(rooms.bench_reports);
    let settings_for_pages = web::Data::new(settings.clone());
    let application = move || {
        App::new()
            .app_data(source.clone())
            .app_data(places.clone())
            .app_data(state.clone())
            .app_data(runs.clone())
            .app_data(plays.clone())
            .app_data(bench_reports.clone())
            .app_data(web::PayloadConfig::new(LONGEST_FORM))
            .app_data(settings_for_pages.clone())
            .app_data(settings.allowed_hosts.clone())
            .configure(|config| routes::configure(config, &settings.static_dir))
            // The last middleware here is the first one that sees a request.
            .wrap(from_fn(middleware::refuse_foreigners))
            .wrap(from_fn(middleware::explain_errors))
            .wrap(from_fn(headers::set))
    };
    let server = HttpServer::new(application)
        .workers(WORKERS)
        .max_connections(MOST_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        // A page that has closed its side has left: its stream of events ends, and its place is free.
        .h1_allow_half_closed(false)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
