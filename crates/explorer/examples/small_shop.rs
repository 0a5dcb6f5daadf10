//! A replica of a very small shop, for the explorer's tests: it sells in ways that the real shop doesn't have. The
//! strategy that a purchase names is one of these ways.

#![expect(clippy::unwrap_used, reason = "a program of tests may panic as tests do")]

use flash_sale_core::environment;
use sea_orm::sqlx::postgres::{PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, Postgres, Transaction};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// The whole purchase is one statement. The subquery counts before the row is locked.
const COUNT_IN_SUBQUERY: &str = "
    INSERT INTO orders (id, product_id, served_by)
    SELECT $1, $2, 'small' WHERE (SELECT count(*) FROM orders WHERE product_id = $2) < 1";
const INSERT: &str = "INSERT INTO orders (id, product_id, served_by) VALUES ($1, $2, 'small')";
const READ_LOCKED: &str = "SELECT quantity FROM products WHERE id = $1 FOR UPDATE";
/// Two purchases can have this lock together, and then neither can write a row of the table.
const SHARE_TABLE: &str = "LOCK TABLE products IN SHARE MODE";
const TAKE: &str = "UPDATE products SET quantity = quantity - 1 WHERE id = $1";

#[tokio::main]
async fn main() {
    let setting = |name| environment::required_text(name, "text").unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect(&setting("DATABASE_URL")).await.unwrap();
    let address = format!("{}:{}", setting("HOST"), setting("PORT"));
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, pool.clone()));
    }
}

/// Answers one request, and closes the connection.
async fn serve(mut stream: TcpStream, pool: PgPool) {
    let (mut request, mut piece) = (String::new(), [0; 4096]);
    while !request.contains("\r\n\r\n") || (request.starts_with("POST") && !request.ends_with('}')) {
        let length = stream.read(&mut piece).await.unwrap();
        if length == 0 {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let (status, body) = match request.split_once("\r\n\r\n") {
        Some((_, body)) if request.starts_with("POST") => buy(&pool, body).await,
        _ => (200, "{}".to_owned()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} ?\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

async fn buy(pool: &PgPool, body: &str) -> (u16, String) {
    let body: Value = serde_json::from_str(body).unwrap();
    let product = body["product_id"].as_str().unwrap().parse().unwrap();
    let order = Uuid::new_v4();
    let sold = match body["strategy"].as_str().unwrap() {
        "count_in_subquery" => count_in_subquery(pool, order, product).await,
        "share_the_table" => share_the_table(pool, order, product).await,
        _ => insert_then_lock(pool, order, product).await,
    };
    match sold {
        Ok(true) => (200, format!(r#"{{"id": "{order}"}}"#)),
        Ok(false) => (400, r#"{"detail": "Out of stock"}"#.to_owned()),
        Err(_) => (503, "{}".to_owned()),
    }
}

async fn count_in_subquery(pool: &PgPool, order: Uuid, product: Uuid) -> sqlx::Result<bool> {
    let inserted = sqlx::query(COUNT_IN_SUBQUERY).bind(order).bind(product).execute(pool).await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(TAKE).bind(product).execute(pool).await?;
    Ok(true)
}

async fn share_the_table(pool: &PgPool, order: Uuid, product: Uuid) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    sqlx::query(SHARE_TABLE).execute(&mut *transaction).await?;
    sqlx::query(INSERT).bind(order).bind(product).execute(&mut *transaction).await?;
    match sqlx::query(TAKE).bind(product).execute(&mut *transaction).await {
        Ok(_) => transaction.commit().await?,
        Err(error) => {
            transaction.rollback().await?;
            return Err(error);
        }
    }
    Ok(true)
}

async fn insert_then_lock(pool: &PgPool, order: Uuid, product: Uuid) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let sold = insert_then_lock_within(&mut transaction, order, product).await;
    match sold {
        Ok(true) => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    sold
}

async fn insert_then_lock_within(
    transaction: &mut Transaction<'_, Postgres>,
    order: Uuid,
    product: Uuid,
) -> sqlx::Result<bool> {
    sqlx::query(INSERT).bind(order).bind(product).execute(&mut **transaction).await?;
    let locked = sqlx::query_scalar::<_, i32>(READ_LOCKED).bind(product);
    if locked.fetch_one(&mut **transaction).await? <= 0 {
        return Ok(false);
    }
    sqlx::query(TAKE).bind(product).execute(&mut **transaction).await?;
    Ok(true)
}
