//! The shop in a real browser: two replicas behind the gateway, as a visitor meets them. Each file has the
//! rules of one subject; the harness below opens the shop. All pass before and after the learner's fix.
//! They need Chromium; without it they are skipped, or fail when REQUIRE_BROWSER=1.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod layout;
mod purchase;
mod quiet;
mod shop_page;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use flash_sale_gateway::{Gateway, bind};
use flash_sale_testbed::testing::{Replica, ReplicaSettings, TestDatabase, wait_until};

/// The program under test, as cargo has just built it.
const SHOP: &str = env!("CARGO_BIN_EXE_flash-sale-web");

/// A database with one book, two replicas on it, and the gateway before them.
struct Shop {
    database: TestDatabase,
    /// The gateway's, without a slash at the end.
    url: String,
    _gateway: Gateway,
    _replicas: Vec<Replica>,
}

impl Shop {
    /// With the shop's own settings.
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// With replicas whose settings `adapt` may change.
    async fn open_with(adapt: impl Fn(&mut ReplicaSettings)) -> Self {
        let database = TestDatabase::create().await;
        // The replicas are told its port, so it is there before them.
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Gateway::start(listener, 2).unwrap();
        let mut replicas = Vec::new();
        for place in 0..2 {
            let mut settings = ReplicaSettings::new(&database.shop_url);
            settings.name = format!("replica-{}", place + 1);
            settings.order_api_url = Some(format!("{url}/api/orders"));
            adapt(&mut settings);
            let replica = Replica::start(Path::new(SHOP), settings).await;
            // Connects it to the database, as starting the shop does. Left to the first order, that takes half
            // of the time by which the second order must not be late.
            let is_ready =
                async || flash_sale_testbed::http::answers_ok(&format!("{}/ready", replica.url)).await;
            wait_until("it is connected", is_ready).await;
            gateway.set_replica(place, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, replica.port))));
            replicas.push(replica);
        }
        Self { database, url, _gateway: gateway, _replicas: replicas }
    }
}
