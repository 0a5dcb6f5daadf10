//! The shop as its visitors reach it: over HTTP, through the gateway, each request on a connection of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use percent_encoding::percent_decode_str;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Longer than any answer of the shop may take: its own limits are shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const HEALTH_LIMIT: Duration = Duration::from_secs(3);
const HEALTH_POLL: Duration = Duration::from_millis(50);
/// Far more than a thousand orders need. If a body is longer, nothing of it is kept: it may have no end.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// A visitor of the shop.
#[derive(Clone)]
pub struct Shop {
    http: Client,
    pub(super) url: String,
    host: String,
    pub(super) address: SocketAddr,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `X-Served-By`: the replica.
    pub served_by: String,
    /// Whether it has a `Retry-After`.
    pub asks_to_retry: bool,
    /// Whether it is the answer to an earlier request with the same key (`Idempotency-Replayed`).
    pub is_replay: bool,
    /// From the request to the end of the answer.
    pub took: Duration,
    /// The body, `null` when it isn't JSON.
    pub body: Value,
    cookie: Option<String>,
}

/// A product, as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: Uuid,
    /// Copies in stock.
    pub quantity: i64,
}

/// An order, as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// What was sold.
    pub product_id: Uuid,
    /// The replica that sold it.
    pub served_by: String,
}

/// One of the requests that a click on Buy Now made, as the page shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// "200 OK", "no answer".
    pub status: String,
    /// The replica that answered.
    pub served_by: String,
    /// Milliseconds until the answer.
    pub took_ms: u64,
}

impl Answer {
    pub(super) fn new<'a>(
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        took: Duration,
    ) -> Self {
        Self {
            status,
            served_by: header("X-Served-By").unwrap_or_default().to_owned(),
            asks_to_retry: header("Retry-After").is_some(),
            is_replay: header("Idempotency-Replayed").is_some(),
            took,
            body: serde_json::from_slice(body).unwrap_or_default(),
            cookie: header("Set-Cookie").and_then(value_of),
        }
    }
}

impl Attempt {
    /// The HTTP status; `None` when no answer came.
    pub fn status_code(&self) -> Option<u16> {
        self.status.split(' ').next()?.parse().ok()
    }
}

/// The page's notice after a click or a reset, as it travels in its cookie.
#[derive(Deserialize)]
enum Notice {
    Bought(Vec<Attempt>),
    WasReset { deleted_orders: u64 },
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

    /// `POST /api/orders`: buys one copy.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn buy(&self, product: Uuid) -> reqwest::Result<Answer> {
        self.order(&json!({ "product_id": product })).await
    }

    /// `POST /api/orders` with this body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn order(&self, body: &Value) -> reqwest::Result<Answer> {
        self.order_once(body, None).await
    }

    /// `POST /api/orders` with this body and, if there is one, this `Idempotency-Key`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn order_once(&self, body: &Value, key: Option<&str>) -> reqwest::Result<Answer> {
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

/// Finds the address that listens: a name may stand for several addresses, and some may have no listener.
async fn find_listener(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let connection = TcpStream::connect((host, port)).await;
    let connection = connection.with_context(|| format!("no shop answers at {host}:{port}"))?;
    Ok(connection.peer_addr()?)
}

fn client(host: &str, address: SocketAddr, idle_connections: usize) -> reqwest::Result<Client> {
    Client::builder()
        .pool_max_idle_per_host(idle_connections)
        .no_proxy()
        // The name is looked up once: hundreds of buyers at once would wait for each other's lookups.
        .resolve(host, address)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .build()
}

async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let sent = Instant::now();
    let mut response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_BODY {
            body.clear();
            break;
        }
    }
    let header = |name: &str| headers.get(name)?.to_str().ok();
    Ok(Answer::new(status, header, &body, sent.elapsed()))
}

/// Why there is no answer, in a few words: requests that failed in the same way get the same words.
pub fn why_silent(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("no answer within {} s", ANSWER_LIMIT.as_secs())
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "no answer: the connection broke".to_owned()
    }
}

/// `notice=%7B…%7D; Path=/; …` → `{…}`
fn value_of(cookie: &str) -> Option<String> {
    let (_, value) = cookie.split(';').next()?.split_once('=')?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}
