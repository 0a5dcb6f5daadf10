//! The shop as its visitors reach it: over HTTP, through the gateway, each request on a connection of its own.

pub mod answer;
pub mod http;
pub mod shown;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use reqwest::{Client, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use answer::Answer;
use http::{client, find_listener, send, why_silent};
use shown::{Attempt, Notice, Order, Product};

const HEALTH_LIMIT: Duration = Duration::from_secs(3);
const HEALTH_POLL: Duration = Duration::from_millis(50);

/// A visitor of the shop.
#[derive(Clone)]
pub struct Shop {
    http: Client,
    pub(super) url: String,
    host: String,
    pub(super) address: SocketAddr,
}

impl Shop {
    /// A visitor of the shop at `url`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn at(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).with_context(|| format!("{url} is not a URL"))?;
        ensure!(url.scheme() == "http" && url.has_host(), "{url}: expected http://host:port");
        let host = url.host_str().unwrap_or_default();
        let address = find_listener(host, url.port_or_known_default().unwrap_or(80)).await?;
        let http = client(host, address, 0)?;
        let (host, url) = (host.to_owned(), url.as_str().trim_end_matches('/').to_owned());
        Ok(Self { http, url, host, address })
    }

    /// Another visitor, who keeps one connection from request to request as long as it lasts, and so reaches the same
    /// replica.
    ///
    /// # Errors
    /// When the HTTP client can't be made.
    pub fn with_one_connection(&self) -> reqwest::Result<Self> {
        Ok(Self { http: client(&self.host, self.address, 1)?, ..self.clone() })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        send(self.http.get(format!("{}{path}", self.url))).await
    }

    /// `POST path`, without a body, as the page's forms do.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str) -> reqwest::Result<Answer> {
        send(self.http.post(format!("{}{path}", self.url))).await
    }

    /// `POST /api/orders` with this body and, if there is one, this `Idempotency-Key`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn order(&self, body: &Value, key: Option<&str>) -> reqwest::Result<Answer> {
        let mut request = self.http.post(format!("{}/api/orders", self.url)).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("\"{key}\""));
        }
        send(request).await
    }

    /// One click on Buy Now, and what each of its requests was told.
    ///
    /// # Errors
    /// When the answer is not the one that the page gives.
    pub async fn click(&self) -> anyhow::Result<Vec<Attempt>> {
        match self.submit("/buy").await? {
            Notice::Bought(attempts) => Ok(attempts),
            Notice::WasReset { .. } => bail!("POST /buy: the notice of a reset"),
        }
    }

    /// Reset, as the page does it. Returns how many orders it has deleted.
    ///
    /// # Errors
    /// When the answer is not the one that the page gives.
    pub async fn reset(&self) -> anyhow::Result<u64> {
        match self.submit("/reset").await? {
            Notice::WasReset { deleted_orders } => Ok(deleted_orders),
            Notice::Bought(_) => bail!("POST /reset: the notice of a click"),
        }
    }

    /// Sends one of the page's forms, and returns the notice that it leads to.
    async fn submit(&self, form: &str) -> anyhow::Result<Notice> {
        let answer = self.post(form).await.map_err(|error| anyhow!("POST {form}: {}", why_silent(&error)))?;
        ensure!(
            answer.status == 303,
            "POST {form}: {} instead of the page. Look at: make logs",
            answer.status
        );
        let notice = answer.cookie.with_context(|| format!("POST {form}: no notice of what happened"))?;
        serde_json::from_str(&notice).with_context(|| format!("the notice of POST {form}"))
    }

    /// The book in the window: `GET /api/products`.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn featured_product(&self) -> anyhow::Result<Product> {
        self.read("/api/products").await
    }

    /// `GET /api/products/{id}`.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn product(&self, id: Uuid) -> anyhow::Result<Product> {
        self.read(&format!("/api/products/{id}")).await
    }

    /// The product's orders among the newest thousand of the shop: `GET /api/orders`.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn orders_of(&self, product: Uuid) -> anyhow::Result<Vec<Order>> {
        let orders: Vec<Order> = self.read("/api/orders").await?;
        Ok(orders.into_iter().filter(|order| order.product_id == product).collect())
    }

    /// Returns when a replica answers. When none does, it returns after a few seconds.
    pub async fn wait_until_healthy(&self) {
        let answers = async {
            while !self.get("/health").await.is_ok_and(|answer| answer.status == 200) {
                sleep(HEALTH_POLL).await;
            }
        };
        // If no replica answers, the next request says what is wrong.
        let _ = timeout(HEALTH_LIMIT, answers).await;
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.get(path).await.map_err(|error| anyhow!("GET {path}: {}", why_silent(&error)))?;
        ensure!(answer.status == 200, "GET {path}: {}. Look at: make logs", answer.status);
        serde_json::from_value(answer.body).with_context(|| format!("GET {path}"))
    }
}
