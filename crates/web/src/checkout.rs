//! Buy Now's checkout client. It is impatient: when the shop has not answered within a moment, it posts the order
//! again.

use std::time::{Duration, Instant};

use flash_sale_core::limits::{CHECKOUT_ANSWER_TIMEOUT, CHECKOUT_CONNECT_TIMEOUT};
use futures::future::join;
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::view::short_id;

/// Posts orders to the shop's API, as a buyer's program would.
pub struct CheckoutClient {
    http: Client,
    order_api_url: Url,
    retry_after: Duration,
    sends_key: bool,
}

/// One request to the API, and its answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Milliseconds from the click to this request.
    pub sent_at_ms: u64,
    /// Milliseconds from this request to its answer.
    pub took_ms: u64,
    /// "200 OK", "400 Bad Request", "no answer".
    pub status: String,
    /// What the answer said: an order's id, or why not.
    pub answer: String,
    /// The replica that answered.
    pub served_by: String,
}

/// The parts of the API's answers that the client looks at: `id` of an order, `detail` of a problem.
#[derive(Default, Deserialize)]
struct AnswerBody {
    id: Option<Uuid>,
    detail: Option<String>,
}

impl CheckoutClient {
    /// A client that posts to `order_api_url`, and again when no answer has come within `retry_after`. If it
    /// `sends_key`, both carry the same Idempotency-Key, a new one for each click.
    ///
    /// # Errors
    /// When the system's HTTP client can't be set up.
    pub fn new(order_api_url: Url, retry_after: Duration, sends_key: bool) -> reqwest::Result<Self> {
        let http = Client::builder()
            // Each request on a connection of its own, as from a new visitor.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .connect_timeout(CHECKOUT_CONNECT_TIMEOUT)
            .timeout(CHECKOUT_ANSWER_TIMEOUT)
            .build()?;
        Ok(Self { http, order_api_url, retry_after, sends_key })
    }

    /// Buys one copy, and returns each attempt in the order they were sent. All carry the click's
    /// `request_id`.
    pub async fn buy(&self, product_id: Uuid, request_id: &str) -> Vec<Attempt> {
        let clicked = Instant::now();
        let key = self.sends_key.then(Uuid::new_v4);
        let mut first = Box::pin(self.post_order(product_id, request_id, key, clicked));
        match tokio::time::timeout(self.retry_after, &mut first).await {
            Ok(answered) => vec![answered],
            Err(_) => {
                let second = self.post_order(product_id, request_id, key, clicked);
                let (first, second) = join(first, second).await;
                vec![first, second]
            }
        }
    }

    async fn post_order(
        &self,
        product_id: Uuid,
        request_id: &str,
        key: Option<Uuid>,
        clicked: Instant,
    ) -> Attempt {
        let sent = Instant::now();
        let mut request = self
            .http
            .post(self.order_api_url.clone())
            .header("X-Request-Id", request_id)
            .json(&serde_json::json!({ "product_id": product_id }));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("\"{key}\""));
        }
        let (status, answer, served_by) = match request.send().await {
            Ok(response) => read_answer(response).await,
            Err(error) => ("no answer".to_owned(), reason(&error).to_owned(), None),
        };
        Attempt {
            sent_at_ms: milliseconds(sent.duration_since(clicked)),
            took_ms: milliseconds(sent.elapsed()),
            status,
            answer,
            served_by: served_by.unwrap_or_else(|| "–".to_owned()),
        }
    }
}

async fn read_answer(response: reqwest::Response) -> (String, String, Option<String>) {
    let status = response.status().to_string();
    let served_by = response.headers().get("X-Served-By").and_then(|name| name.to_str().ok());
    let served_by = served_by.map(str::to_owned);
    let body: AnswerBody = response.json().await.unwrap_or_default();
    let answer = match body {
        AnswerBody { id: Some(id), .. } => format!("order {}", short_id(id)),
        AnswerBody { detail: Some(detail), .. } => detail,
        _ => "(not readable)".to_owned(),
    };
    (status, answer, served_by)
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
