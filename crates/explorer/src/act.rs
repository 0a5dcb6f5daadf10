//! What an actor does: one HTTP request to a replica, and the answer to it.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::leaving;

/// Longer than the shop's own limits, so that the shop answers first.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// What an actor does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Buys a copy: `POST /api/orders`. `key`: the `Idempotency-Key`. Actors with the same key are one buyer.
    Buy {
        /// The strategy that is named. `None`: the exercise.
        strategy: Option<String>,
        /// The `Idempotency-Key`.
        key: Option<String>,
    },
    /// Puts the stock back and deletes the orders: `POST /api/reset`.
    Reset,
    /// Reads the shop's page: `GET /`.
    Page,
}

/// A request that can be sent.
pub(crate) struct Ask {
    client: Client,
    url: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The HTTP status. `None`: there was no answer.
    pub status: Option<u16>,
    /// The order that the answer names.
    pub order: Option<Uuid>,
    /// Whether the answer says that nobody knows what became of the purchase.
    pub is_unknown: bool,
}

impl Act {
    /// The exercise's purchase, without a key.
    pub fn buy() -> Self {
        Self::Buy { strategy: None, key: None }
    }

    /// Whether its buyer can ask again what became of it.
    pub(crate) fn has_key(&self) -> bool {
        matches!(self, Self::Buy { key: Some(_), .. })
    }

    /// Whether it buys.
    pub fn is_purchase(&self) -> bool {
        matches!(self, Self::Buy { .. })
    }
}

impl Ask {
    /// A client of the replica at `url`. It keeps one connection.
    ///
    /// # Errors
    /// When the HTTP client can't be made.
    pub fn of(url: String) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(1).timeout(ANSWER_LIMIT).build();
        Ok(Self { client: client.context("can't make an HTTP client")?, url })
    }

    /// The request of this act. It completes with the answer.
    pub fn send(&self, act: &Act, product: Uuid) -> impl Future<Output = Reply> + Send + 'static + use<> {
        answer(self.request(act, product))
    }

    /// The same, with a client that leaves when it is told to. It completes when the replica has noticed that.
    pub fn send_until(
        &self,
        act: &Act,
        product: Uuid,
        leave: oneshot::Receiver<()>,
    ) -> impl Future<Output = Reply> + Send + 'static + use<> {
        let request = self.request(act, product).build();
        async move {
            let Ok(request) = request else { return Reply::none() };
            let Some((status, body)) = leaving::send(request, leave).await else { return Reply::none() };
            Reply::of(status, &serde_json::from_slice(&body).unwrap_or_default())
        }
    }

    fn request(&self, act: &Act, product: Uuid) -> RequestBuilder {
        match act {
            Act::Buy { strategy, key } => self.purchase(product, strategy.as_deref(), key.as_deref()),
            Act::Reset => self.client.post(format!("{}/api/reset", self.url)),
            Act::Page => self.client.get(format!("{}/", self.url)),
        }
    }

    /// The replica's answer to `GET` of this path, as JSON.
    ///
    /// # Errors
    /// When no JSON comes.
    pub async fn read(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        answer.context("the replica doesn't answer")?.json().await.context("the answer is no JSON")
    }

    fn purchase(&self, product: Uuid, strategy: Option<&str>, key: Option<&str>) -> RequestBuilder {
        let mut body = json!({ "product_id": product });
        if let Some(strategy) = strategy {
            body["strategy"] = strategy.into();
        }
        let request = self.client.post(format!("{}/api/orders", self.url)).json(&body);
        match key {
            Some(key) => request.header("Idempotency-Key", format!("\"{key}\"")),
            None => request,
        }
    }
}

async fn answer(request: RequestBuilder) -> Reply {
    let Ok(response) = request.send().await else { return Reply::none() };
    let status = response.status().as_u16();
    // A page is no JSON, and names no order.
    Reply::of(status, &response.json().await.unwrap_or_default())
}

impl Reply {
    fn of(status: u16, body: &Value) -> Self {
        let order = body.get("id").and_then(|id| id.as_str()?.parse().ok());
        let is_unknown = body.get("outcome").is_some_and(|outcome| outcome == "unknown");
        Self { status: Some(status), order, is_unknown }
    }

    /// No answer came.
    pub(crate) fn none() -> Self {
        Self { status: None, order: None, is_unknown: false }
    }

    /// Whether the buyer can't know what became of the purchase.
    pub(crate) fn leaves_it_open(&self) -> bool {
        self.status.is_none() || self.is_unknown
    }

    /// The status in words: `200`, or `no answer`.
    pub fn in_words(&self) -> String {
        self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
    }
}
