//! Chromium for tests: pages are opened, clicked and read as a visitor does. Start with [`Chromium::start`].
//! `devtools.rs` says how it is driven.

mod chromium;
mod devtools;
mod tab;
mod watch;

pub use chromium::Chromium;
pub use devtools::Events;
pub use tab::{Key, Point, Tab};
pub use watch::Watch;
