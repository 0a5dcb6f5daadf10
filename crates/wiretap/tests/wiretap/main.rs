//! The wire on a real PostgreSQL: what it records, and that nobody on either side notices it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod losses;
mod peers;
mod recording;
mod transparency;
mod unaltered;
mod waits;

use std::str::FromStr;

use flash_sale_testbed::testing::TestDatabase;
use flash_sale_wiretap::trace::Transaction;
use flash_sale_wiretap::{Entrance, Wiretap};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions};
use uuid::Uuid;

const REPLICAS: [&str; 2] = ["replica-1", "replica-2"];

/// A database, and a wire to it.
struct Wire {
    database: TestDatabase,
    wiretap: Wiretap,
}

impl Wire {
    async fn open() -> Self {
        Self::open_at(Entrance::Ports).await
    }

    async fn open_at(entrance: Entrance<'_>) -> Self {
        let database = TestDatabase::create().await;
        let replicas = REPLICAS.map(str::to_owned);
        let wiretap = Wiretap::listen(&database.url, &replicas, entrance).unwrap();
        Self { database, wiretap }
    }

    /// A session that the first replica might have.
    async fn session(&self) -> PgConnection {
        self.session_of(REPLICAS[0]).await
    }

    async fn session_of(&self, replica: &str) -> PgConnection {
        connect(self.wiretap.url_of(replica).unwrap()).await
    }

    /// All that matter, the oldest one first.
    fn transactions(&self) -> Vec<Transaction> {
        let mut transactions = self.wiretap.recorder().transactions(usize::MAX);
        transactions.reverse();
        transactions
    }

    /// The one that matters.
    #[track_caller]
    fn only_transaction(&self) -> Transaction {
        let transactions = self.transactions();
        assert_eq!(transactions.len(), 1, "{transactions:#?}");
        transactions.into_iter().next().unwrap()
    }

    /// The id of the one book.
    async fn book(&self) -> Uuid {
        let mut session = connect(&self.database.url).await;
        sqlx::query_scalar("SELECT id FROM products").fetch_one(&mut session).await.unwrap()
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnectOptions::from_str(url).unwrap().disable_statement_logging().connect().await.unwrap()
}

async fn pid_of(session: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(session).await.unwrap()
}

/// What was sent, in this order.
fn sent(transaction: &Transaction) -> Vec<&str> {
    transaction.statements.iter().map(|statement| statement.sql.as_str()).collect()
}
