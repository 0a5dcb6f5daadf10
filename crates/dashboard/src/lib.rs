//! The dashboard: draws what the wire between the replicas and PostgreSQL saw. Start with [`clicks`] (which transactions
//! belong together) and [`crowd`] (their lanes), then [`picture`] and [`text`]. [`serve`] puts it on a port.

mod api;
pub mod bench_charts;
mod captions;
mod charts;
pub mod chrome_trace;
mod click_view;
pub mod clicks;
mod clock;
pub mod crowd;
pub mod engine_messages;
mod events;
mod explore_order;
pub mod facts;
mod files;
pub mod find;
pub mod guess;
pub mod lane;
pub mod measured;
mod metrics;
mod middleware;
pub mod notes;
mod openapi;
mod pages;
pub mod picture;
pub mod played;
pub mod played_view;
mod plays;
mod problem;
mod rooms;
mod routes;
mod run;
mod runs;
mod server;
mod settings;
pub mod shelf;
pub mod shop_state;
mod source;
mod state_watch;
pub mod text;
mod view;
pub mod waits;

pub use explore_order::{EXERCISE, ExploreOrder};
pub use rooms::{
    BenchReports, Engine, Heard, Order, RaceOrder, Rooms, Scheduler, Shop, StartedRun, StrategyChoice,
};
pub use server::{MOST_CONNECTIONS, serve};
pub use settings::DashboardSettings;
pub use source::Source;
pub use view::TransactionView;
