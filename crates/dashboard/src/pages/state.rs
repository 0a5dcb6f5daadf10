//! `GET /state`: the shop at this moment.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use super::answer;
use crate::problem::Problem;
use crate::settings::DashboardSettings;
use crate::shop_state::{BuildState, LockState, ShopState, Traffic};
use crate::state_watch::StateWatch;

/// `lab/state.html`
#[derive(Template)]
#[template(path = "lab/state.html")]
struct StatePage<'a> {
    shop_url: &'a str,
    at: String,
    state: &'a ShopState,
    traffic: [TrafficRow; 4],
    build: String,
    locks: Vec<LockRow>,
}

/// What ended in the last seconds.
struct TrafficRow {
    name: &'static str,
    per_second: String,
    count: usize,
}

/// A lock.
struct LockRow {
    session: String,
    backend_pid: i32,
    what: String,
    mode: String,
    state: String,
    is_awaited: bool,
    transaction: String,
}

/// The page.
pub async fn show(
    watch: Data<StateWatch>,
    settings: Data<DashboardSettings>,
) -> Result<HttpResponse, Problem> {
    let state = watch.state().await;
    let locks = state.database.iter().flat_map(|database| &database.locks);
    answer(&StatePage {
        shop_url: &settings.shop_url,
        at: state.at.format("%H:%M:%S").to_string(),
        traffic: traffic_rows(&state.traffic),
        build: build_in_words(&state.build),
        locks: locks.map(lock_row).collect(),
        state: &state,
    })
}

fn traffic_rows(traffic: &Traffic) -> [TrafficRow; 4] {
    let row =
        |name, count| TrafficRow { name, per_second: format!("{:.1}", traffic.per_second(count)), count };
    [
        row("Purchases committed", traffic.purchases),
        row("Other commits", traffic.other_commits),
        row("Rolled back", traffic.rolled_back),
        row("Lost", traffic.lost),
    ]
}

fn build_in_words(build: &BuildState) -> String {
    match build {
        BuildState::UpToDate => "Yes: all replicas run what the files say.".to_owned(),
        BuildState::Outdated => {
            "No: a replica runs an older program than the one that was built last. Replace it: make build"
                .to_owned()
        }
        BuildState::NotBuilt { sources } => {
            let sources = sources.join(", ");
            format!("No: {sources} changed after the last build. Build it: make build")
        }
        BuildState::Unknown => "Nobody knows: the shop's program can't be found.".to_owned(),
    }
}

fn lock_row(lock: &LockState) -> LockRow {
    let holders: Vec<String> = lock.waits_for.iter().map(ToString::to_string).collect();
    let state = match (lock.granted, holders.is_empty()) {
        (true, _) => "held".to_owned(),
        (false, true) => "waits".to_owned(),
        (false, false) => format!("waits for {}", holders.join(", ")),
    };
    LockRow {
        session: lock.session.clone(),
        backend_pid: lock.backend_pid,
        what: lock.what.clone(),
        mode: lock.mode.clone(),
        state,
        is_awaited: !lock.granted,
        transaction: lock.transaction_ms.map_or_else(String::new, |ms| format!("{ms:.0}")),
    }
}
