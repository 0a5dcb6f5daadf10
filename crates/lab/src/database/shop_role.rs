//! Puts the shop's role right while the shop runs. This is needed because PostgreSQL lets each role change its own
//! password, and the settings that its sessions begin with.

use std::time::Duration;

use flash_sale_migration::{admit_shop, shop_has_changed_itself};
use tokio::time::sleep;

use super::Database;

const INTERVAL: Duration = Duration::from_secs(5);

impl Database {
    /// Never ends. The log gets each correction, and once the reason why a correction fails.
    pub async fn keep_shop_role(&self) {
        let mut said = None;
        loop {
            sleep(INTERVAL).await;
            let error = if self.urls.owner != self.urls.shop
                && shop_has_changed_itself(self.urls.shop.reveal()).await
            {
                self.put_shop_role_right().await.err()
            } else {
                None
            };
            if let Some(error) = error.as_ref().filter(|error| said.as_ref() != Some(*error)) {
                log::error!("{error}");
            }
            said = error;
        }
    }

    async fn put_shop_role_right(&self) -> Result<(), String> {
        admit_shop(self.urls.owner.reveal(), self.urls.shop.reveal())
            .await
            .map_err(|error| error.to_string())?;
        log::error!(
            "somebody changed the password or the settings of the shop's role. Both are restored. If it was not you, \
             an intruder may send statements as the shop. See what the replicas did: make logs"
        );
        Ok(())
    }
}
