//! The lab's settings, from the environment and `.env`. The shop's own variables are checked here too, so
//! that a mistake is found before anything starts.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_core::database_url::{database_url, migration_database_url};
use flash_sale_core::environment::{self, SettingError};
use flash_sale_core::limits::{LONGEST_HOLD, LONGEST_RACE_WINDOW, LONGEST_RETRY_AFTER};
use flash_sale_core::secret::Secret;
use flash_sale_testbed::shop_settings::{DatabaseUrls, OWN_VARIABLES, ShopVariables};

/// The dashboard's port is the shop's port and so many more.
const DASHBOARD_BESIDE: u16 = 1000;
/// A purchase reads all buckets of its product, so more of them make each purchase slower.
const MOST_STOCK_BUCKETS: u32 = 1000;

/// Where the lab listens, and what it runs.
#[derive(Clone, Debug)]
pub struct LabSettings {
    /// `HOST`: the address the gateway listens on. Only this machine reaches the default.
    pub host: IpAddr,
    /// `PORT`: the gateway's port.
    pub port: u16,
    /// `REPLICAS`: how many replicas run.
    pub replicas: u32,
    /// `DATABASE_URL` and `MIGRATION_DATABASE_URL`: `None` for a private PostgreSQL.
    pub database: Option<DatabaseUrls>,
    /// `DATABASE_POOL_SIZE`: how many connections each replica has.
    pub pool_size: u32,
    /// `WIRETAP`: whether the lab reads along what passes between the replicas and PostgreSQL.
    pub wiretap: bool,
    /// `DASHBOARD_PORT`: the dashboard's port, by default `PORT` + 1000. `None`: there is no dashboard.
    pub dashboard_port: Option<u16>,
    /// What is passed on to the replicas.
    pub shop: ShopVariables,
}

impl LabSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// At the first variable that holds something else than it should.
    pub fn read() -> Result<Self, SettingError> {
        let port = environment::whole_number("PORT", "a port", 3000, 1..=u16::MAX)?;
        Ok(Self {
            host: host()?,
            port,
            replicas: environment::whole_number("REPLICAS", "a whole number", 2, 1..=8)?,
            database: database()?,
            pool_size: pool_size()?,
            wiretap: wiretap()?,
            dashboard_port: dashboard_port(port)?,
            shop: shop_variables()?,
        })
    }
}

/// The shop's variables that are set here and now.
///
/// # Errors
/// The same as those of [`LabSettings::read`].
pub fn shop_variables() -> Result<ShopVariables, SettingError> {
    environment::milliseconds("RACE_WINDOW_MS", Duration::ZERO, LONGEST_RACE_WINDOW)?;
    environment::milliseconds("RETRY_AFTER_MS", Duration::ZERO, LONGEST_RETRY_AFTER)?;
    environment::flag("RETRY_WITH_IDEMPOTENCY_KEY", false)?;
    environment::milliseconds("HOLD_MS", Duration::ZERO, LONGEST_HOLD)?;
    let longest_sweep = LONGEST_HOLD.as_millis() as u64;
    environment::whole_number("HOLD_SWEEP_MS", "a whole number of milliseconds", 1, 1..=longest_sweep)?;
    environment::whole_number("PAYMENT_FAILS_PERCENT", "a whole number", 0, 0..=100)?;
    AllowedHosts::from_environment()?;
    pool_size()?;
    stock_buckets()?;

    let mut variables = ShopVariables::new();
    for name in OWN_VARIABLES {
        if let Some(value) = environment::optional_text(name)? {
            variables.insert(name.to_owned(), value);
        }
    }
    Ok(variables)
}

/// `STOCK_BUCKETS`: over how many rows the stock of a product is spread that `stock_buckets` sells.
///
/// # Errors
/// When it is no whole number from 1 to 1000.
pub fn stock_buckets() -> Result<u32, SettingError> {
    environment::whole_number("STOCK_BUCKETS", "a whole number", 16, 1..=MOST_STOCK_BUCKETS)
}

fn pool_size() -> Result<u32, SettingError> {
    environment::whole_number("DATABASE_POOL_SIZE", "a whole number", 10, 1..=1000)
}

fn wiretap() -> Result<bool, SettingError> {
    match environment::text("WIRETAP", "on")?.trim() {
        "on" => Ok(true),
        "off" => Ok(false),
        value => Err(SettingError::Invalid {
            name: "WIRETAP",
            value: value.to_owned(),
            expected: "on or off".to_owned(),
        }),
    }
}

/// Without the variable, it is the shop's port + 1000. A shop on one of the last 1000 ports has no dashboard then.
fn dashboard_port(port: u16) -> Result<Option<u16>, SettingError> {
    let beside = port.checked_add(DASHBOARD_BESIDE).unwrap_or(0);
    let expected = "a port, or 0 for no dashboard";
    Ok(Some(environment::whole_number("DASHBOARD_PORT", expected, beside, 0..=u16::MAX)?)
        .filter(|port| *port != 0))
}

fn host() -> Result<IpAddr, SettingError> {
    let value = environment::text("HOST", "127.0.0.1")?;
    if value == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let invalid = |value| SettingError::Invalid {
        name: "HOST",
        value,
        expected: "an IP address, as 127.0.0.1 or 0.0.0.0".to_owned(),
    };
    // In docker-compose.yml, which reads the same variable, IPv6 must have brackets.
    let bare = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&value);
    bare.parse().map_err(|_| invalid(value.clone()))
}

/// `DATABASE_URL` and `MIGRATION_DATABASE_URL`; `None` when they aren't set.
///
/// # Errors
/// When they don't hold what they should, or only the latter is set.
pub fn database() -> Result<Option<DatabaseUrls>, SettingError> {
    match (database_url()?, migration_database_url()?) {
        (Some(shop), owner) => {
            let owner = Secret::new(owner.unwrap_or_else(|| shop.clone()));
            Ok(Some(DatabaseUrls { owner, shop: Secret::new(shop) }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(SettingError::Missing {
            name: "DATABASE_URL",
            expected: "the same database as in MIGRATION_DATABASE_URL, and the role of the shop".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flash_sale_testbed::shop_process::ShopProgram;

    #[test]
    fn settings_can_be_printed_and_show_no_password() {
        let secret = || Secret::new("postgres://shop:hunter2@db/shop");
        let settings = LabSettings {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 3000,
            replicas: 2,
            database: Some(DatabaseUrls { shop: secret(), owner: secret() }),
            pool_size: 10,
            wiretap: true,
            dashboard_port: None,
            shop: ShopVariables::new(),
        };
        let program = ShopProgram {
            binary: "shop".into(),
            static_folder: "static".into(),
            folder: ".flash-sale".into(),
            logs: ".flash-sale/logs".into(),
            database_url: secret(),
            order_api_url: "http://127.0.0.1:3000/api/orders".to_owned(),
        };

        let printed = format!("{settings:?} {program:#?}");

        assert!(printed.contains("DatabaseUrls") && printed.contains("ShopProgram"), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
