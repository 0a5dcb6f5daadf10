//! What a stage can tell about its shop and its database.

use anyhow::Context;
use serde_json::Value;

use crate::stage::Stage;

/// What a schedule ran on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// PostgreSQL's version, as `15.18`.
    pub version: String,
    /// The isolation level of transactions that ask for none, as `read committed`.
    pub isolation: String,
}

impl Stage {
    /// The names of the strategies that the shop knows (`GET /api/strategies`).
    ///
    /// # Errors
    /// When the replica doesn't answer with a list of names.
    pub async fn strategies(&self) -> anyhow::Result<Vec<String>> {
        let replica = self.asks.first().context("the stage has no replica")?;
        let list = replica.read("/api/strategies").await.context("GET /api/strategies")?;
        let name = |strategy: &Value| strategy["name"].as_str().map(str::to_owned);
        let names = list.as_array().and_then(|list| list.iter().map(name).collect());
        names.context("GET /api/strategies answers with no list of names")
    }

    /// What PostgreSQL says of itself (`SHOW`).
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn database_facts(&mut self) -> anyhow::Result<DatabaseFacts> {
        let (version, isolation) = (self.database.version().await?, self.database.isolation().await?);
        Ok(DatabaseFacts { version, isolation })
    }
}
