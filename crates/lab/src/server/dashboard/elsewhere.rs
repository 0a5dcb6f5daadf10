//! The dashboard's rooms for a shop that runs elsewhere, in containers. The wiretap sees its transactions, and nothing
//! else is known of it here.

use std::sync::Arc;

use chrono::Utc;
use flash_sale_dashboard::played::{NotPlayed, PlayOrder, Played};
use flash_sale_dashboard::shop_state::{BuildState, GatewayState, ShopState};
use flash_sale_dashboard::{BenchReports, Engine, Order, Rooms, Scheduler, Shop, StartedRun, StrategyChoice};
use flash_sale_wiretap::Recorder;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::traffic;

/// Why there is no explorer.
const NOT_PLAYED: &str =
    "A shop in containers can't be explored from here. Explore it without containers: make run";
/// The lab can't replace a container's settings.
const NO_SLOW_MOTION: &str = "A shop in containers keeps its own payment. Click in slow motion without containers: \
     make docker-stop run. Or give the containers a slow payment, click in the shop, and look at the timeline: \
     RACE_WINDOW_MS=3000 RETRY_AFTER_MS=1500 WIRETAP=on make docker-run";

/// The reports are where `make bench` has run.
const NOT_MEASURED: &str =
    "a benchmark runs without containers, and the dashboard of make run shows its report";

struct Elsewhere(Recorder);

/// What the pages of a shop in containers ask.
pub fn rooms(recorder: &Recorder) -> Rooms {
    let shop = Arc::new(Elsewhere(recorder.clone()));
    let (engine, scheduler, bench_reports) = (Arc::clone(&shop), Arc::clone(&shop), Arc::clone(&shop));
    Rooms { engine, scheduler, bench_reports, shop }
}

impl Shop for Elsewhere {
    fn state(&self) -> BoxFuture<'_, ShopState> {
        let away =
            "it is not asked in containers. Ask it: docker compose exec postgres psql --username=flash_sale";
        let state = ShopState {
            at: Utc::now(),
            traffic: traffic::of(&self.0),
            database: None,
            database_away: Some(away.to_owned()),
            replicas: Vec::new(),
            gateway: GatewayState::default(),
            build: BuildState::Unknown,
        };
        ready(state).boxed()
    }
}

impl BenchReports for Elsewhere {
    fn last(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        ready(Err(NOT_MEASURED.to_owned())).boxed()
    }
}

impl Scheduler for Elsewhere {
    fn play(&self, _: PlayOrder) -> BoxFuture<'_, Result<Played, NotPlayed>> {
        ready(Err(NotPlayed::NotNow(NOT_PLAYED.to_owned()))).boxed()
    }
}

impl Engine for Elsewhere {
    fn start(&self, order: Order) -> BoxFuture<'_, Result<StartedRun, String>> {
        let reason = match order {
            Order::Check => "A shop in containers is judged by: make docker-check",
            Order::Explore(_) => NOT_PLAYED,
            Order::Race(_) => {
                "A shop in containers can't race from here. Race it without containers: make run"
            }
            Order::SlowMotion => NO_SLOW_MOTION,
        };
        ready(Err(reason.to_owned())).boxed()
    }

    fn strategies(&self) -> BoxFuture<'_, Result<Vec<StrategyChoice>, String>> {
        let reason = "A shop in containers can't race from here. Race it without containers: make run";
        ready(Err(reason.to_owned())).boxed()
    }

    fn slow_motion_obstacle(&self) -> Option<String> {
        Some(NO_SLOW_MOTION.to_owned())
    }
}
