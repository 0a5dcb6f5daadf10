//! Clients that leave, at every moment of a request's life, on a database that is 10 ms away: between any two bytes
//! that the shop and PostgreSQL send one another, somebody is gone.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use flash_sale_wiretap::line::Line;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use tokio::time::timeout;
use uuid::Uuid;

use super::ledger::Ledger;
use super::{Told, Way};
use crate::Shop;

/// How far the database is, in each direction.
const FAR: Duration = Duration::from_millis(10);
/// From one client's moment of leaving to the next one's.
const STEP: Duration = Duration::from_millis(2);
/// Clients at once. More would wait for one another, and so leave at other moments than they seem to.
const AT_ONCE: u32 = 8;
/// A request that takes longer has got stuck.
const LONGEST_LIFE: Duration = Duration::from_secs(3);
/// PostgreSQL itself would end what was left open after some seconds. It takes a tenth of this on an idle machine.
const NOTHING_OPEN_WITHIN: Duration = Duration::from_secs(2);
/// Buyers who come next: one for each connection.
const NEXT_BUYERS: i32 = 10;
const STOCK: i32 = 4;
const LANES: usize = 4;
/// Buyers who settle their keys at the same time may be in one another's way. After so many times it is no coincidence.
const MOST_CONFLICTS: usize = 10;

/// Requests that don't sell, or sell the book.
const OTHERS: [&str; 8] = [
    "GET /",
    "POST /buy",
    "POST /reset",
    "POST /api/reset",
    "GET /api/products",
    "GET /api/products/BOOK",
    "GET /api/orders",
    "GET /ready",
];

#[tokio::test]
async fn clients_who_leave_at_any_moment_cost_nobody_anything() {
    in_lanes(Way::sample(), async |lane, way| lane.sweep(way).await).await;
}

/// A minute or so. Run it with `cargo test --workspace --test shop of_every_way -- --ignored`.
#[tokio::test]
#[ignore = "four thousand clients who leave"]
async fn clients_who_leave_at_any_moment_of_every_way_to_sell_cost_nobody_anything() {
    in_lanes(Way::all(), async |lane, way| lane.sweep(way).await).await;
}

#[tokio::test]
async fn visitors_who_leave_at_any_moment_of_any_request_cost_nobody_anything() {
    in_lanes(OTHERS, async |lane, what| lane.visit_and_leave(what).await).await;
}

/// Does the same for all, a few at the same time: most of it is waiting.
async fn in_lanes<T>(what: impl IntoIterator<Item = T>, act: impl AsyncFn(&mut Lane, T)) {
    let what = RefCell::new(VecDeque::from_iter(what));
    let lane = async || {
        let mut lane = Lane::open().await;
        let next = || what.borrow_mut().pop_front();
        while let Some(next) = next() {
            act(&mut lane, next).await;
        }
        lane.ledger.compare(&lane.shop).await;
    };
    join_all((0..LANES).map(|_| lane())).await;
}

/// What a client has asked for, and was told.
#[derive(Clone, Copy)]
struct Client {
    product: Uuid,
    key: Option<Uuid>,
    told: Told,
}

struct Lane {
    shop: Shop,
    ledger: Ledger,
    _line: Line,
}

impl Lane {
    async fn open() -> Self {
        let (shop, line, _) = Shop::on_a_line(|_| {}).await;
        line.set_delay(FAR);
        Self { shop, ledger: Ledger::default(), _line: line }
    }

    async fn sweep(&mut self, way: Way) {
        let (case, left) = (format!("{way:?}"), RefCell::new(Vec::new()));
        self.come_and_leave(&case, async |shop, moment| {
            let product = shop.product_for_way(way, STOCK).await;
            let key = way.new_key();
            let client = shop.send_purchase(way, product, key).await;
            let told = timeout(moment, Told::read(client)).await.unwrap_or(Told::Nothing);
            left.borrow_mut().push(Client { product, key, told });
            told != Told::Nothing
        })
        .await;

        let shop = &self.shop;
        let settle = |client: Client| async move {
            let Some(_) = client.key else { return (client, client.told) };
            let mut settled = shop.buy(way, client.product, client.key).await;
            for _ in 0..MOST_CONFLICTS {
                if settled != Told::Refused(409) {
                    break;
                }
                settled = shop.buy(way, client.product, client.key).await;
            }
            (client, settled)
        };
        let mut settled = stream::iter(left.into_inner()).map(settle).buffer_unordered(AT_ONCE as usize);
        while let Some((Client { product, key, told }, settled)) = settled.next().await {
            let is_right = settled.order().is_some() || settled == Told::Nothing && key.is_none();
            assert!(is_right, "{case}: told {told:?}, and then {settled:?}");
            let sold = Vec::from_iter(settled.order());
            self.ledger.enter(&case, product, STOCK, &sold, usize::from(sold.is_empty()));
        }
    }

    async fn visit_and_leave(&mut self, what: &str) {
        let book = self.shop.one::<Uuid>("SELECT id FROM products ORDER BY created_at LIMIT 1").await;
        let what = what.replace("BOOK", &book.to_string());
        let visit = async |shop: &Shop| {
            let client = shop.send(&format!("{what} HTTP/1.1\r\n"), "").await;
            client.readable().await.unwrap();
            assert_eq!(client.try_read(&mut [0]).unwrap(), 1, "{what}: closed without an answer");
        };

        self.come_and_leave(&what, async |shop, moment| timeout(moment, visit(shop)).await.is_ok()).await;

        let conserved = "SELECT quantity + (SELECT count(*) FROM orders WHERE product_id = products.id) = 1
                         FROM products WHERE id = ";
        assert!(self.shop.one::<bool>(&format!("{conserved}'{book}'")).await, "{what}: the book");
    }

    /// Has clients come, `AT_ONCE` at a time, each of whom stays a step longer than the one before, until all of a
    /// group have stayed for their answers. `client` says whether it did.
    async fn come_and_leave(&mut self, case: &str, client: impl AsyncFn(&Shop, Duration) -> bool) {
        let mut moment = Duration::ZERO;
        while moment < LONGEST_LIFE {
            let group = (0..AT_ONCE).map(|number| client(&self.shop, moment + STEP * number));
            let stayed = join_all(group).await;
            // After each group: the next one might mend what this one has left.
            self.look_around(case).await;
            if stayed.iter().all(|stayed| *stayed) {
                return;
            }
            moment += STEP * AT_ONCE;
        }
        panic!("{case}: there is no answer within {LONGEST_LIFE:?}");
    }

    /// Nothing is open any more, and whoever comes next is served, on each of the replica's connections.
    async fn look_around(&mut self, case: &str) {
        let begun = Instant::now();
        while self.is_in_a_transaction().await {
            assert!(begun.elapsed() < NOTHING_OPEN_WITHIN, "{case}: a session is still in a transaction");
        }

        let way = Way { strategy: Some("single_statement"), has_key: false };
        let product = self.shop.product_for_way(way, NEXT_BUYERS).await;
        let buyers = join_all((0..NEXT_BUYERS).map(|_| self.shop.buy(way, product, None)));
        let (next, page) = tokio::join!(buyers, self.shop.get("/"));
        let sold: Vec<Uuid> = next.iter().filter_map(|told| told.order()).collect();
        assert_eq!(sold.len(), next.len(), "{case}: the next buyers are told {next:?}");
        assert_eq!(page.status, 200, "{case}: the page");
        self.ledger.enter(&format!("after {case}"), product, NEXT_BUYERS, &sold, 0);
    }

    async fn is_in_a_transaction(&self) -> bool {
        let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'replica-1'
                   AND datname = current_database() AND xact_start IS NOT NULL";
        self.shop.one(sql).await
    }
}
