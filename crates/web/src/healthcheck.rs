//! Whether the replica on this machine is alive, for containers: they have no other program to ask with.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::settings::Settings;

/// Shorter than the interval between two checks.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Asks `GET /health` of the replica that has these settings.
///
/// # Errors
/// When no answer comes within a second, or another one than 200.
pub async fn check(settings: &Settings) -> anyhow::Result<()> {
    let url = format!("http://{}:{}/health", reachable(&settings.host), settings.port);
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let answer = http.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    ensure!(answer.status() == reqwest::StatusCode::OK, "{url} answers {}", answer.status());
    Ok(())
}

/// A server that listens on all addresses is asked on one of them.
fn reachable(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    }
}
