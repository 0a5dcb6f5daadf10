//! Runs one replica: builds the application, listens, and on SIGTERM answers what is in flight and ends.

use std::io;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use flash_sale_core::database;
use flash_sale_core::database_error::is_away;
use flash_sale_core::limits::{KEEP_ALIVE, MOST_CONNECTIONS, REQUEST_HEAD_TIMEOUT, SHUTDOWN_TIMEOUT};
use flash_sale_http_guard::headers;
use flash_sale_services::{
    OrderService, PaymentProvider, ServiceError, ShopService, StrategyService, TillDatabase,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::checkout::CheckoutClient;
use crate::middleware::IsEnding;
use crate::replica_name::ReplicaName;
use crate::settings::Settings;
use crate::{middleware, outage_log, routes, sweeper};

/// A replica is one thread; more replicas use more cores. Several workers would have a runtime each, and a database
/// connection would belong to the worker that opened it. When that worker stops first, the connection would break while
/// another worker uses it for its last purchase.
const WORKERS: usize = 1;
/// Connections that may wait to be accepted. With 128, the usual number, a crowd waits for seconds.
const BACKLOG: u32 = 4096;

/// Idempotency keys expire after 24 hours, and are deleted within this time after that.
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(600);

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the address can't be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let database = database::connect(&settings.database).await.context("DATABASE_URL can't be used")?;
    let payment = PaymentProvider::new(settings.race_window).declining(settings.payment_fails_percent);
    let replica_name = ReplicaName(settings.replica_name.clone());
    let till = TillDatabase::new(database.clone());
    let orders = web::Data::new(OrderService::new(till, payment.clone(), &settings.replica_name));
    let strategies =
        StrategyService::new(database.clone(), payment, &settings.replica_name, settings.hold_lasts);
    let strategies = web::Data::new(strategies);
    let shop = web::Data::new(ShopService::new(database.clone()));
    let checkout = web::Data::new(CheckoutClient::new(
        settings.order_api_url,
        settings.retry_after,
        settings.retry_with_idempotency_key,
    )?);

    let watching = outage_log::watch((**shop).clone(), database);
    let cleaning = forget_old_keys(strategies.clone());
    let sweeping = sweeper::sweep(strategies.clone(), settings.between_sweeps);
    let application = move || {
        App::new()
            .app_data(orders.clone())
            .app_data(strategies.clone())
            .app_data(shop.clone())
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

    let (host, port) = (settings.host.as_str(), settings.port);
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
        .bind((host, port))
        .with_context(|| format!("can't listen on {host}:{port}. Set HOST and PORT to a free address"))?;
    actix_web::rt::spawn(watching);
    actix_web::rt::spawn(cleaning);
    actix_web::rt::spawn(sweeping);
    for address in server.addrs() {
        log::info!("{} listens on http://{address}", settings.replica_name);
    }
    server.run().await?;
    log::info!("{} has answered what was in flight and stops", settings.replica_name);
    Ok(())
}

/// Deletes expired keys and old refusals at the start, from time to time, and after many refusals. Each replica does
/// it: a key that is deleted already does no harm.
async fn forget_old_keys(strategies: web::Data<StrategyService>) {
    let mut interval = tokio::time::interval(BETWEEN_CLEANINGS);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = strategies.many_refusals() => {}
        }
        match strategies.forget_old_keys().await {
            Ok(count) => log::debug!("{count} idempotency keys were deleted"),
            // They are deleted the next time. `outage_log` says why the database is away, as soon as it matters.
            Err(ServiceError::Database(error)) if is_away(&error) => {
                log::debug!("old idempotency keys were not deleted: {error}");
            }
            Err(error) => log::warn!("old idempotency keys were not deleted: {error}"),
        }
    }
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
