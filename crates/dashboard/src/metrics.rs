//! `GET /metrics`: the figures of the page State, for Prometheus. The names follow its rules: a prefix, base units, and
//! `_total` for what only grows (prometheus.io, "Metric and label naming").

use std::sync::atomic::AtomicU64;

use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Problem;
use crate::shop_state::{
    BookState, BuildState, DatabaseState, GatewayState, ReplicaState, SessionsState, ShopState, Traffic,
};
use crate::state_watch::StateWatch;

/// The prefix of all names.
const PREFIX: &str = "flash_sale";

/// Names of labels, with their values.
type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// The figures. They are at most a second old.
pub async fn get(watch: Data<StateWatch>) -> Result<HttpResponse, Problem> {
    let text = text(&*watch.state().await).map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(text))
}

fn text(state: &ShopState) -> Result<String, std::fmt::Error> {
    // Made anew for each answer: what is unknown now must not keep its last value.
    let mut registry = Registry::with_prefix(PREFIX);
    add_replicas(&mut registry, &state.replicas);
    add_gateway(&mut registry, &state.gateway);
    add_traffic(&mut registry, &state.traffic);
    add_database(&mut registry, state.database.as_ref());
    if state.build != BuildState::Unknown {
        let is_current = ConstGauge::new(i64::from(state.build == BuildState::UpToDate));
        registry.register("build_up_to_date", "1 when the replicas run what the files say", is_current);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn add_replicas(registry: &mut Registry, replicas: &[ReplicaState]) {
    let (up, started, restarts) = (Gauges::default(), Gauges::default(), Counters::default());
    for replica in replicas {
        let labels = vec![("replica", replica.name.clone())];
        up.get_or_create(&labels).set(if replica.answers { 1.0 } else { 0.0 });
        restarts.get_or_create(&labels).inc_by(replica.restarts.into());
        if let Some(at) = replica.started_at {
            started.get_or_create(&labels).set(at.timestamp() as f64);
        }
    }
    registry.register("replica_up", "1 when the replica answers", up);
    registry.register("replica_restarts", "Starts of the replica after it had died", restarts);
    let help = "When the replica's process started, since 1970";
    registry.register_with_unit("replica_start_time", help, Unit::Seconds, started);
}

fn add_gateway(registry: &mut Registry, gateway: &GatewayState) {
    let count = |count: usize| ConstGauge::new(count as i64);
    registry.register(
        "gateway_connections",
        "Connections that are open through the gateway",
        count(gateway.connections_open),
    );
    registry.register(
        "gateway_connections_max",
        "Connections that may be open through the gateway at once",
        count(gateway.connections_at_most),
    );
    registry.register(
        "gateway_connections_accepted",
        "Connections that the gateway has accepted",
        ConstCounter::new(gateway.connections_accepted),
    );
}

fn add_traffic(registry: &mut Registry, traffic: &Traffic) {
    let recent = Gauges::default();
    for (ending, count) in [
        ("purchase", traffic.purchases),
        ("other_commit", traffic.other_commits),
        ("rolled_back", traffic.rolled_back),
        ("lost", traffic.lost),
    ] {
        recent.get_or_create(&vec![("ending", ending.to_owned())]).set(count as f64);
    }
    registry.register(
        "wire_recent_transactions",
        "Transactions that may write, and that ended within flash_sale_wire_recent_window_seconds",
        recent,
    );
    registry.register_with_unit(
        "wire_recent_window",
        "The time that flash_sale_wire_recent_transactions covers",
        Unit::Seconds,
        ConstGauge::new(traffic.seconds),
    );
}

fn add_database(registry: &mut Registry, database: Option<&DatabaseState>) {
    let is_up = ConstGauge::new(i64::from(database.is_some()));
    registry.register("database_up", "1 when PostgreSQL answers the lab", is_up);
    let Some(database) = database else { return };
    if let Some(BookState { stock, orders, .. }) = database.book {
        registry.register("stock_copies", "Copies of the book in stock", ConstGauge::new(stock));
        registry.register("orders", "Orders of the book", ConstGauge::new(orders as i64));
    }
    let locks = Gauges::default();
    locks.get_or_create(&vec![("state", "held".to_owned())]).set(database.locks_held as f64);
    locks.get_or_create(&vec![("state", "awaited".to_owned())]).set(database.locks_awaited as f64);
    registry.register("database_locks", "Locks on tables and rows", locks);
    add_sessions(registry, &database.sessions);

    let transactions = Counters::default();
    transactions.get_or_create(&vec![("ending", "commit".to_owned())]).inc_by(database.commits);
    transactions.get_or_create(&vec![("ending", "rollback".to_owned())]).inc_by(database.rollbacks);
    registry.register("database_transactions", "Transactions that PostgreSQL has ended", transactions);
    let deadlocks = ConstCounter::new(database.deadlocks);
    registry.register("database_deadlocks", "Deadlocks that PostgreSQL has broken up", deadlocks);
}

/// The states are those of pg_stat_activity. A session that waits for a lock counts as waiting, and not as active.
fn add_sessions(registry: &mut Registry, sessions: &[SessionsState]) {
    let gauges = Gauges::default();
    for SessionsState { name, open, active, idle_in_transaction, waiting } in sessions {
        let active = active.saturating_sub(*waiting);
        let idle = open.saturating_sub(active + idle_in_transaction + waiting);
        for (state, count) in [
            ("idle", idle),
            ("active", active),
            ("idle_in_transaction", *idle_in_transaction),
            ("waiting", *waiting),
        ] {
            let labels = vec![("program", name.clone()), ("state", state.to_owned())];
            gauges.get_or_create(&labels).set(count as f64);
        }
    }
    registry.register("database_sessions", "Sessions on the shop's database", gauges);
}
