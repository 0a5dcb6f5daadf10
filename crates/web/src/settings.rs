//! Everything a replica reads from the environment. `.env.example` and README.md list the same variables.

use std::path::PathBuf;
use std::time::Duration;

use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_core::database::DatabaseSettings;
use flash_sale_core::database_url::required_database_url;
use flash_sale_core::environment::{SettingError, flag, milliseconds, text, whole_number};
use flash_sale_core::limits::{LONGEST_HOLD, LONGEST_RACE_WINDOW, LONGEST_RETRY_AFTER};
use reqwest::Url;

/// One line a request, and what went wrong.
const DEFAULT_LOG_FILTER: &str = "info,actix_server=warn,sqlx=error";

/// What one replica needs to know.
#[derive(Clone)]
pub struct Settings {
    /// HOST: the address to listen on. Default 127.0.0.1: this machine only.
    pub host: String,
    /// PORT: the port to listen on. Default 8080.
    pub port: u16,
    /// ALLOWED_HOSTS: names that it answers to, besides localhost and IP addresses. Default none.
    pub allowed_hosts: AllowedHosts,
    /// REPLICA_NAME: the name in `X-Served-By`, in the log and on each order. Default replica-1.
    pub replica_name: String,
    /// DATABASE_URL and DATABASE_POOL_SIZE (default 10): where and how to connect.
    pub database: DatabaseSettings,
    /// RACE_WINDOW_MS: how long the payment provider takes. Default 100 ms.
    pub race_window: Duration,
    /// ORDER_API_URL: where Buy Now's checkout client posts orders. Default http://127.0.0.1:3000/api/orders.
    pub order_api_url: Url,
    /// RETRY_AFTER_MS: how long the checkout client waits for an answer before it posts again. Default 50 ms.
    pub retry_after: Duration,
    /// RETRY_WITH_IDEMPOTENCY_KEY: whether both posts of a click carry the same key. Default false.
    pub retry_with_idempotency_key: bool,
    /// STATIC_DIR: the folder with the style sheet and pictures. Default `static`.
    pub static_dir: PathBuf,
    /// HOLD_MS: how long the strategy `reservation` holds a copy for its buyer. Default 5 s.
    pub hold_lasts: Duration,
    /// HOLD_SWEEP_MS: how often the copies of lapsed holds are given back. Default 1 s.
    pub between_sweeps: Duration,
    /// PAYMENT_FAILS_PERCENT: how many of a hundred payments of `reservation` are declined, at random. Default 0.
    pub payment_fails_percent: u8,
    /// RUST_LOG: what to log, in env_logger's syntax. Default info, without the web server's own chatter.
    pub log_filter: String,
}

impl Settings {
    /// Reads and checks them all.
    ///
    /// # Errors
    /// Names the first variable that is missing or wrong, and what it should hold.
    pub fn from_environment() -> Result<Self, SettingError> {
        let replica_name = replica_name()?;
        Ok(Self {
            host: text("HOST", "127.0.0.1")?,
            port: whole_number("PORT", "a port", 8080, 1..=u16::MAX)?,
            allowed_hosts: AllowedHosts::from_environment()?,
            database: DatabaseSettings {
                url: required_database_url()?,
                application_name: replica_name.clone(),
                pool_size: whole_number("DATABASE_POOL_SIZE", "a whole number", 10, 1..=1000)?,
            },
            replica_name,
            race_window: milliseconds("RACE_WINDOW_MS", Duration::from_millis(100), LONGEST_RACE_WINDOW)?,
            order_api_url: order_api_url()?,
            retry_after: milliseconds("RETRY_AFTER_MS", Duration::from_millis(50), LONGEST_RETRY_AFTER)?,
            retry_with_idempotency_key: flag("RETRY_WITH_IDEMPOTENCY_KEY", false)?,
            static_dir: text("STATIC_DIR", "static")?.into(),
            hold_lasts: milliseconds("HOLD_MS", Duration::from_secs(5), LONGEST_HOLD)?,
            between_sweeps: between_sweeps()?,
            payment_fails_percent: whole_number("PAYMENT_FAILS_PERCENT", "a whole number", 0, 0..=100)?,
            log_filter: text("RUST_LOG", DEFAULT_LOG_FILTER)?,
        })
    }
}

fn replica_name() -> Result<String, SettingError> {
    let value = text("REPLICA_NAME", "replica-1")?;
    let fits_a_header = value.len() <= 63 && value.bytes().all(|byte| byte.is_ascii_graphic());
    if fits_a_header {
        return Ok(value);
    }
    let expected = "at most 63 visible ASCII characters".to_owned();
    Err(SettingError::Invalid { name: "REPLICA_NAME", value, expected })
}

/// Zero would be no period.
fn between_sweeps() -> Result<Duration, SettingError> {
    let longest = LONGEST_HOLD.as_millis() as u64;
    let what = "a whole number of milliseconds";
    Ok(Duration::from_millis(whole_number("HOLD_SWEEP_MS", what, 1000, 1..=longest)?))
}

fn order_api_url() -> Result<Url, SettingError> {
    let value = text("ORDER_API_URL", "http://127.0.0.1:3000/api/orders")?;
    match Url::parse(&value) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => {
            let expected = "http://host:port/api/orders".to_owned();
            // There may be a password before the host.
            let value = if value.contains('@') { "(hidden)".to_owned() } else { value };
            Err(SettingError::Invalid { name: "ORDER_API_URL", value, expected })
        }
    }
}
