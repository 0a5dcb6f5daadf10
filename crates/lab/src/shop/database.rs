//! The database behind the shop. The lab compares its rows with what the API says, puts products of its own into it,
//! and removes them again.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

/// Marks the lab's products, so that a later check, race or drill finds those of one that was killed.
const AUTHOR: &str = "the lab";
/// The number of an advisory lock. It can be any number that nobody else uses.
const TURN: i64 = 0x464c_4153_4843_484b;
const CONNECTIONS: u32 = 4;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A pool of our own; the shop knows nothing of it.
#[derive(Clone)]
pub struct ShopDatabase {
    pub(crate) pool: PgPool,
    options: PgConnectOptions,
}

/// What the rows say of a product.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Copies in stock.
    pub quantity: i64,
    /// Copies that `reservation` holds for buyers.
    pub held: i64,
    /// Its orders' ids.
    pub orders: Vec<Uuid>,
}

impl ShopDatabase {
    /// Connects.
    ///
    /// # Errors
    /// When the database doesn't answer, or doesn't let us in.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url).context("the database's URL")?;
        // A statement doesn't wait for ever: a purchase that holds a row may be stuck.
        let options = options.application_name("lab check").options([("lock_timeout", "5s")]);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_LIMIT);
        // The lab's own statements can write also while a drill makes the database refuse the shop's.
        let writing = options.clone().options([("default_transaction_read_only", "off")]);
        let pool = pool.connect_with(writing).await.context("can't reach the shop's database")?;
        Ok(Self { pool, options })
    }

    /// Keeps other checks, races, drills and clicks in slow motion away as long as the connection lives: two of them would count each other's
    /// orders. `command` is the command that a person can type later. A killed drill may have left the shop unable to
    /// write. Then this lets it write again.
    ///
    /// # Errors
    /// When another of them runs.
    pub async fn take_turn(&self, command: &str) -> anyhow::Result<PgConnection> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let sql = "SELECT pg_try_advisory_lock($1)";
        let is_ours: bool = sqlx::query_scalar(sql).bind(TURN).fetch_one(&mut connection).await?;
        ensure!(
            is_ours,
            "another check of this shop is running, or a race, a drill or a click in slow motion. Wait for its end, \
             then: {command}"
        );
        let sql = "SELECT current_setting('default_transaction_read_only')::bool";
        if sqlx::query_scalar(sql).fetch_one(&mut connection).await? {
            self.allow_writes().await.context("the database refuses every write")?;
        }
        Ok(connection)
    }

    /// Makes this PostgreSQL refuse every transaction that writes, as with a full disk, until
    /// [`ShopDatabase::allow_writes`]. Transactions that run already go on.
    ///
    /// # Errors
    /// When the database fails, or doesn't let us: only a superuser may.
    pub async fn refuse_writes(&self) -> anyhow::Result<()> {
        self.change_settings("ALTER SYSTEM SET default_transaction_read_only = on").await
    }

    /// Takes [`ShopDatabase::refuse_writes`] back, also when another command has called it. Does no harm when nobody
    /// has.
    ///
    /// # Errors
    /// The same as those of [`ShopDatabase::refuse_writes`].
    pub async fn allow_writes(&self) -> anyhow::Result<()> {
        self.change_settings("ALTER SYSTEM RESET default_transaction_read_only").await
    }

    async fn change_settings(&self, sql: &'static str) -> anyhow::Result<()> {
        sqlx::query(sql).execute(&self.pool).await?;
        sqlx::query("SELECT pg_reload_conf()").execute(&self.pool).await?;
        Ok(())
    }

    /// A product of the lab's own. It never gets into the shop's window: that shows the oldest one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_product(&self, title: &str, quantity: i32) -> anyhow::Result<Uuid> {
        let sql = "INSERT INTO products (title, author, year, price, quantity, created_at)
                   VALUES ($1, $2, 2026, 1.00, $3, now() + interval '100 years') RETURNING id";
        let insert = sqlx::query_scalar(sql).bind(title).bind(AUTHOR).bind(quantity);
        insert.fetch_one(&self.pool).await.context("can't put a product into the shop")
    }

    /// How many orders of the shop's own products there are: those that a reset deletes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shops_orders(&self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM orders JOIN products ON products.id = product_id WHERE author <> $1";
        Ok(sqlx::query_scalar(sql).bind(AUTHOR).fetch_one(&self.pool).await?)
    }

    /// Removes all products of the lab, with their orders.
    ///
    /// # Errors
    /// When the database fails, or a purchase of one of them doesn't end.
    pub async fn remove_products(&self) -> anyhow::Result<()> {
        self.wait_for_own_statements().await?;
        let delete = sqlx::query("DELETE FROM products WHERE author = $1").bind(AUTHOR);
        delete.execute(&self.pool).await.context("can't remove the products of the check")?;
        Ok(())
    }

    /// A command that was ended may have dropped a statement that PostgreSQL still works on: a product may be about to
    /// come. The pool gets a connection back only after its statement has ended, so we take all of them once.
    async fn wait_for_own_statements(&self) -> anyhow::Result<()> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(self.pool.acquire().await?);
        }
        Ok(())
    }

    /// The product and its orders, in one snapshot.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(&self, product: Uuid) -> anyhow::Result<Rows> {
        let sql = "SELECT quantity::bigint, (SELECT count(*) FROM holds WHERE product_id = products.id),
                          ARRAY(SELECT id FROM orders WHERE product_id = products.id)
                   FROM products WHERE id = $1";
        let (quantity, held, orders) = sqlx::query_as(sql).bind(product).fetch_one(&self.pool).await?;
        Ok(Rows { quantity, held, orders })
    }

    /// Begins a transaction that holds the rows of these products, as a purchase in the middle of its work may. The
    /// rows are released when the transaction is dropped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self, products: &[Uuid]) -> anyhow::Result<Transaction<'static, Postgres>> {
        let mut transaction = self.pool.begin().await?;
        let sql = "SELECT FROM products WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        sqlx::query(sql).bind(products).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// How many sessions wait for a lock just now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_sessions(&self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }

    /// How many deadlocks PostgreSQL has broken up in this database so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deadlocks(&self) -> anyhow::Result<i64> {
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }

    /// The names of all rules that refuse rows and that the shipped schema doesn't have: CHECK, UNIQUE and EXCLUDE
    /// constraints, unique indexes, triggers and rules on the two tables. The one CHECK that is shipped binds only
    /// products that opt in. So a product of the shop that has opted in counts here too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn added_rules(&self) -> anyhow::Result<Vec<String>> {
        let sql = "WITH tables AS (SELECT unnest(ARRAY['products', 'orders'])::regclass::oid AS id)
                   SELECT 'constraint ' || conname FROM pg_constraint, tables
                   WHERE conrelid = tables.id AND contype IN ('c', 'u', 'x', 't')
                     AND pg_get_constraintdef(pg_constraint.oid)
                         <> 'CHECK (((NOT refuses_oversell) OR (quantity >= 0)))'
                   UNION ALL
                   SELECT 'refuses_oversell of ' || title FROM products WHERE refuses_oversell AND author <> $1
                   UNION ALL
                   SELECT 'unique index ' || indexrelid::regclass FROM pg_index, tables
                   WHERE indrelid = tables.id AND indisunique AND NOT indisprimary
                     AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
                   UNION ALL
                   SELECT 'trigger ' || tgname FROM pg_trigger, tables
                   WHERE tgrelid = tables.id AND NOT tgisinternal
                   UNION ALL
                   SELECT 'rule ' || rulename FROM pg_rewrite, tables WHERE ev_class = tables.id
                   ORDER BY 1";
        Ok(sqlx::query_scalar(sql).bind(AUTHOR).fetch_all(&self.pool).await?)
    }
}
