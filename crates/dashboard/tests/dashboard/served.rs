//! A dashboard on a port of its own.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Source, serve};
use flash_sale_wiretap::trace::Transaction;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::sync::watch;

use crate::fake_rooms::FakeRooms;

/// It ends with this value.
pub struct Served {
    url: String,
    kept: Arc<Mutex<Vec<Transaction>>>,
    news: watch::Sender<u64>,
    server: ServerHandle,
    client: Client,
}

impl Served {
    /// Shows these transactions, which are the newest first.
    pub fn start(transactions: Vec<Transaction>) -> Self {
        Self::with(transactions, &FakeRooms::default())
    }

    /// Shows these transactions, and asks these rooms.
    pub fn with(transactions: Vec<Transaction>, rooms: &FakeRooms) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let newest = transactions.first().map_or(0, |transaction| transaction.number);
        let (news, receiver) = watch::channel(newest);
        let kept = Arc::new(Mutex::new(transactions));
        let source = Source::new(
            {
                let kept = Arc::clone(&kept);
                move |limit| kept.lock().unwrap().iter().take(limit).cloned().collect()
            },
            receiver,
        );
        let settings = DashboardSettings {
            allowed_hosts: AllowedHosts::parse("lab.example").unwrap(),
            static_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../static"),
            shop_url: "http://localhost:3000/".to_owned(),
        };
        let server = serve(listener, source, rooms.rooms(), settings).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let client =
            Client::builder().timeout(Duration::from_secs(10)).redirect(Policy::none()).build().unwrap();
        Self { url, kept, news, server: handle, client }
    }

    /// Adds a transaction, or replaces the one with its number, and says that it is there.
    pub fn add(&self, transaction: Transaction) {
        let number = transaction.number;
        let mut kept = self.kept.lock().unwrap();
        kept.retain(|it| it.number != number);
        kept.insert(0, transaction);
        drop(kept);
        self.news.send(number).unwrap();
    }

    /// A request, to be sent.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// The answer to GET.
    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path).header("accept", "text/html").send().await.unwrap()
    }

    /// The answer to POST of a form on one of the dashboard's own pages. It leads to another page, which is not asked
    /// for.
    pub async fn post(&self, path: &str, form: &str) -> Response {
        let request = self.request("POST", path).header("origin", &self.url).header("accept", "text/html");
        request.body(form.to_owned()).send().await.unwrap()
    }

    /// The page, as soon as it holds this text.
    #[track_caller]
    pub fn until(&self, path: &str, text: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let until = std::time::Instant::now() + Duration::from_secs(10);
            loop {
                let page = self.text(path).await;
                if page.contains(text) {
                    return page;
                }
                assert!(std::time::Instant::now() < until, "{caller}: {text}\n{page}");
            }
        }
    }

    /// The body of a successful answer to GET.
    #[track_caller]
    pub fn text(&self, path: &str) -> impl Future<Output = String> {
        let response = self.get(path);
        async move {
            let response = response.await;
            assert_eq!(response.status(), 200);
            response.text().await.unwrap()
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}
