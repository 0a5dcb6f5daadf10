//! The dashboard: draws what the wire between the replicas and PostgreSQL saw. Start with [`clicks`] (which transactions
//! belong together) and [`crowd`] (their lanes), then [`picture`] and [`text`]. [`serve`] puts it on a port.

mod api;
mod captions;
mod charts;
pub mod chrome_trace;
mod click_view;
pub mod clicks;
mod clock;
pub mod crowd;
pub mod engine_messages;
mod events;
pub mod facts;
mod files;
pub mod find;
pub mod lane;
mod metrics;
mod middleware;
pub mod notes;
mod openapi;
mod pages;
pub mod picture;
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
pub mod sql;
mod state_watch;
pub mod text;
mod view;
pub mod waits;

pub use rooms::{Engine, Heard, Order, RaceOrder, Rooms, Shop, StartedRun, StrategyChoice};
pub use server::{MOST_CONNECTIONS, serve};
pub use settings::DashboardSettings;
pub use source::Source;
pub use view::TransactionView;
