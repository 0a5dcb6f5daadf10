//! What the dashboard is told by the program that serves it.

use std::path::PathBuf;

use flash_sale_core::allowed_hosts::AllowedHosts;

/// What the dashboard needs to know.
#[derive(Clone, Debug)]
pub struct DashboardSettings {
    /// The names that it answers to, besides `localhost`.
    pub allowed_hosts: AllowedHosts,
    /// The folder with the style sheets and scripts.
    pub static_dir: PathBuf,
    /// Where the shop is, for the pages' link to it.
    pub shop_url: String,
}
