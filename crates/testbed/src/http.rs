//! Asks a server on this machine whether it is well.

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2);

/// Whether GET `url` answers 200 within two seconds.
pub async fn answers_ok(url: &str) -> bool {
    // Use no proxy, whatever the environment says: no way to this machine leads through another one.
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(LIMIT).build() else { return false };
    client.get(url).send().await.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
}
