//! Runs one replica: builds the application, listens, and on SIGTERM answers what is in flight and ends.

use std::io;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use flash_sale_core::database;
use flash_sale_core::limits::{KEEP_ALIVE, MOST_CONNECTIONS, REQUEST_HEAD_TIMEOUT, SHUTDOWN_TIMEOUT};
use flash_sale_http_guard::headers;
use tokio::signal::unix::{SignalKind, signal};

use crate::checkout::CheckoutClient;
use crate::middleware::IsEnding;
use crate::replica_name::ReplicaName;
use crate::settings::Settings;
use crate::worker::Worker;
use crate::{middleware, routes};

/// A replica answers on one thread; more replicas use more cores. Each worker has a pool of its own, so several of them
/// would share out the connections that DATABASE_POOL_SIZE allows.
const WORKERS: usize = 1;
/// Connections that may wait to be accepted. With 128, the usual number, a crowd waits for seconds.
const BACKLOG: u32 = 4096;

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the address can't be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    database::check(&settings.database).context("DATABASE_URL can't be used")?;
    let replica_name = ReplicaName(settings.replica_name.clone());
    let checkout = web::Data::new(CheckoutClient::new(
        settings.order_api_url.clone(),
        settings.retry_after,
        settings.retry_with_idempotency_key,
    )?);

    let (host, port) = (settings.host.clone(), settings.port);
    let name = settings.replica_name.clone();
    let application = move || {
        let worker = Worker::of_this_thread(&settings);
        App::new()
            .app_data(worker.orders)
            .app_data(worker.strategies)
            .app_data(worker.shop)
            .app_data(checkout.clone())
            .app_data(replica_name.clone())
            .app_data(settings.allowed_hosts.clone())
            .configure(|config| routes::configure(config, &settings.static_dir))
            // The last middleware here is the first one that sees a request.
            .wrap(from_fn(middleware::refuse_foreign_origin))
            .wrap(from_fn(middleware::refuse_overload))
            .wrap(from_fn(middleware::refuse_unknown_host))
            // Before all that may refuse, so that a refusal leaves no body behind that could be taken for a request.
            .wrap(from_fn(middleware::read_whole_body))
            .wrap(from_fn(middleware::explain_errors))
            .wrap(from_fn(headers::set))
            .wrap(from_fn(middleware::identify_and_log))
    };

    let server = HttpServer::new(application)
        .workers(WORKERS)
        .on_connect(|_, connection| {
            connection.insert(IsEnding::default());
        })
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(REQUEST_HEAD_TIMEOUT)
        // A client that has closed its side has left: its request is dropped, and its purchase is taken back.
        .h1_allow_half_closed(false)
        .shutdown_timeout(SHUTDOWN_TIMEOUT.as_secs())
        .shutdown_signal(stop_signal()?)
        .backlog(BACKLOG)
        .max_connections(MOST_CONNECTIONS)
        .bind((host.as_str(), port))
        .with_context(|| format!("can't listen on {host}:{port}. Set HOST and PORT to a free address"))?;
    for address in server.addrs() {
        log::info!("{name} listens on http://{address}");
    }
    server.run().await?;
    log::info!("{name} has answered what was in flight and stops");
    Ok(())
}

/// Completes at the first SIGTERM or Ctrl-C.
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}
