//! Each statement of each way to sell is held once, and then something happens: nothing is left to chance.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use flash_sale_core::database::BETWEEN_TWO_USERS;
use flash_sale_testbed::testing::{Replica, ReplicaSettings, wait_until};
use flash_sale_wiretap::line::{At, Line, Which};
use futures::future::join_all;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::ledger::Ledger;
use super::{Kind, Told, Way};
use crate::{SHOP, Shop};

/// What happens at a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The client leaves before the statement arrives.
    LeavesBefore,
    /// The client leaves before the answer arrives.
    LeavesAfter,
    /// The connection to PostgreSQL breaks before the statement arrives.
    CutBefore,
    /// It breaks before the answer arrives.
    CutAfter,
    /// The replica is killed before the answer arrives.
    Killed,
}

const FAULTS: [Fault; 5] =
    [Fault::LeavesBefore, Fault::LeavesAfter, Fault::CutBefore, Fault::CutAfter, Fault::Killed];
/// Replicas that are tried at the same time, each on a database of its own.
const LANES: usize = 4;
/// Of a replica: one that is held, and one for whoever comes next. Each costs time in the hundreds of starts.
const CONNECTIONS: u32 = 2;
const STOCK: i32 = 4;
/// Well before PostgreSQL's own limits end what was left open.
const NOTHING_OPEN_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn nothing_is_lost_at_any_step() {
    try_each_step_of(Way::sample()).await;
}

/// A minute or so. Run it with `cargo test --workspace --test shop of_any_way -- --ignored`.
#[tokio::test]
#[ignore = "a thousand purchases that are interrupted"]
async fn nothing_is_lost_at_any_step_of_any_way_to_sell() {
    try_each_step_of(Way::all()).await;
}

async fn try_each_step_of(ways: impl Iterator<Item = Way>) {
    let ways = RefCell::new(VecDeque::from_iter(ways));
    let lane = async || {
        let mut lane = Lane::open().await;
        let next = || ways.borrow_mut().pop_front();
        while let Some(way) = next() {
            lane.try_each_step(way).await;
        }
        lane.ledger.compare(&lane.shop).await;
    };
    join_all((0..LANES).map(|_| lane())).await;
}

struct Lane {
    shop: Shop,
    line: Line,
    settings: ReplicaSettings,
    ledger: Ledger,
}

impl Lane {
    async fn open() -> Self {
        let (shop, line, settings) =
            Shop::on_a_line(|replica| replica.database_pool_size = CONNECTIONS).await;
        Self { shop, line, settings, ledger: Ledger::default() }
    }

    async fn try_each_step(&mut self, way: Way) {
        let mut statements = Vec::new();
        while let Some(statement) = self.try_step(way, statements.len() + 1).await {
            statements.push(statement);
        }
        let last_two = statements.iter().rev().take(2).collect::<Vec<_>>();
        assert_eq!(last_two[0], BETWEEN_TWO_USERS, "{way:?}: {statements:?}");
        assert!(commits(way, last_two[1]), "{way:?}: {statements:?}");
    }

    /// Returns the statement, or `None` when there are fewer.
    async fn try_step(&mut self, way: Way, number: usize) -> Option<String> {
        let mut statement = None;
        for fault in FAULTS {
            statement = self.strike(way, number, fault).await;
            statement.as_ref()?;
        }
        statement
    }

    async fn strike(&mut self, way: Way, number: usize, fault: Fault) -> Option<String> {
        let product = self.shop.product_for_way(way, STOCK).await;
        let key = way.new_key();
        let mut hold = self.line.hold(Which::Number(number), fault.at());
        let client = self.shop.send_purchase(way, product, key).await;
        let statement = hold.reached().await?;

        let told = match fault {
            Fault::LeavesBefore | Fault::LeavesAfter => {
                let told = self.leave(client, &statement).await;
                hold.pass();
                told
            }
            Fault::CutBefore | Fault::CutAfter => {
                hold.cut();
                Told::read(client).await
            }
            Fault::Killed => {
                // The answer doesn't wait for this statement, nor does it come before it.
                if statement == BETWEEN_TWO_USERS {
                    client.readable().await.unwrap();
                }
                self.shop.replicas.pop().unwrap().kill().await;
                hold.cut();
                self.shop.replicas.push(Replica::start(Path::new(SHOP), self.settings.clone()).await);
                self.shop.waits_for_buyers().await;
                Told::read(client).await
            }
        };
        let case = format!("{way:?}, {fault:?} at statement {number}: {statement}");
        assert_eq!(told.kind(), fault.tells(way, &statement), "{case}");
        self.look_around(&case, way, product, key, told, fault.leaves_order(way, &statement)).await;
        Some(statement)
    }

    /// The client goes, and the replica has noticed; or it has its answer already.
    async fn leave(&self, client: TcpStream, statement: &str) -> Told {
        if statement == BETWEEN_TWO_USERS {
            return Told::read(client).await;
        }
        let noticed = || self.shop.replicas[0].log().matches("dropped, its client left").count();
        let before = noticed();
        drop(client);
        wait_until("the replica notices", async || noticed() > before).await;
        Told::Nothing
    }

    /// Nothing is open any more, the rows are as they should be, and whoever comes next is served.
    async fn look_around(
        &mut self,
        case: &str,
        way: Way,
        product: Uuid,
        key: Option<Uuid>,
        told: Told,
        leaves_order: bool,
    ) {
        let begun = Instant::now();
        let is_open = async || !self.line.is_quiet() || self.shop.works_in_the_database().await;
        wait_until("nothing is open", async || !is_open().await).await;
        assert!(begun.elapsed() < NOTHING_OPEN_WITHIN, "{case}: {:?}", begun.elapsed());
        assert_eq!(self.shop.orders_of(product).await, i64::from(leaves_order), "{case}");

        let mut sold = Vec::from_iter(told.order());
        if let Some(key) = key {
            let settled = self.shop.buy(way, product, Some(key)).await.order();
            let order = settled.unwrap_or_else(|| panic!("{case}: the same key settles nothing"));
            assert!(sold.is_empty() || sold == [order], "{case}: the same key has another order");
            sold = vec![order];
        }
        let next = self.shop.buy(way, product, way.new_key()).await;
        sold.push(next.order().unwrap_or_else(|| panic!("{case}: the next buyer is told {next:?}")));
        assert_eq!(self.shop.get("/").await.status, 200, "{case}: the page");
        let unknown = usize::from(leaves_order && key.is_none() && told.order().is_none());
        self.ledger.enter(case, product, STOCK, &sold, unknown);
    }
}

impl Fault {
    fn at(self) -> At {
        match self {
            Self::LeavesBefore | Self::CutBefore => At::Request,
            Self::LeavesAfter | Self::CutAfter | Self::Killed => At::Answer,
        }
    }

    /// What the buyer must be told.
    fn tells(self, way: Way, statement: &str) -> Kind {
        match self {
            _ if statement == BETWEEN_TWO_USERS => Kind::Sold,
            Self::LeavesBefore | Self::LeavesAfter | Self::Killed => Kind::Nothing,
            Self::CutBefore | Self::CutAfter if commits(way, statement) => Kind::Unknown,
            Self::CutBefore | Self::CutAfter => Kind::Refused,
        }
    }

    /// Whether there must be an order.
    fn leaves_order(self, way: Way, statement: &str) -> bool {
        // A batch belongs to all who are in it, and goes on without one of them.
        if way.strategy == Some("batched") && matches!(self, Self::LeavesBefore | Self::LeavesAfter) {
            return true;
        }
        let has_arrived = self != Self::CutBefore;
        statement == BETWEEN_TWO_USERS || commits(way, statement) && has_arrived
    }
}

/// Whether the purchase can't be taken back any more once PostgreSQL has this.
fn commits(way: Way, statement: &str) -> bool {
    let is_alone = !way.has_key && matches!(way.strategy, Some("single_statement" | "batched"));
    statement == "COMMIT" || is_alone && statement.contains("INSERT INTO orders")
}
