//! A client that sends random requests makes nothing grow without end: no log, no table, no process.

use std::time::{Duration, Instant};

use fastrand::Rng;
use flash_sale_core::environment;
use flash_sale_testbed::log_file::LONGEST;
use reqwest::Client;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TryGetable};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::*;

const MB: u64 = 1024 * 1024;
const SENDERS: usize = 16;
/// The longest request head that a replica reads. Longer ones are refused.
const LONGEST_HEAD: usize = 60_000;
const STRATEGIES: [Option<&str>; 8] = [
    None,
    Some("pessimistic"),
    Some("nowait"),
    Some("serializable"),
    Some("skip_locked"),
    Some("batched"),
    Some("reservation"),
    Some("stock_buckets"),
];

/// What may grow.
#[derive(Clone, Debug, Default)]
struct Sizes {
    logs: u64,
    keys: i64,
    keys_bytes: i64,
    database_bytes: i64,
    /// The size of PostgreSQL's folder. Its write-ahead log has a limit of its own (`max_wal_size`, 1 GB).
    postgres_folder: u64,
    /// The memory of the lab and of each replica.
    memory: Vec<u64>,
    open_files: Vec<usize>,
}

/// The flood lasts for as many seconds as FLOOD_SECONDS says.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute; CI runs it"]
async fn random_keys_long_paths_and_malformed_heads_make_nothing_grow_without_end() {
    let seconds = environment::whole_number("FLOOD_SECONDS", "a number of seconds", 20, 4..=86_400).unwrap();
    let mut project = Project::new();
    project.variables.push(("RACE_WINDOW_MS", "0".to_owned()));
    project.up().await;
    let status = project.status().await;
    let database = Database::connect(owner_url(&project, &status)).await.unwrap();
    let book = one::<Uuid>(&database, "SELECT id FROM products").await;
    buy(&project.url(""), book).await.expect("the last copy");
    let addresses: Vec<u16> = [project.port].into_iter().chain(replica_ports(&status)).collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| tokio::spawn(send_until(end, addresses[number % addresses.len()], book, number as u64)))
        .collect();

    let mut sizes = Vec::new();
    for part in [0.1, 0.5, 0.9] {
        sleep((end - Duration::from_secs_f64(seconds as f64 * (1.0 - part))) - Instant::now()).await;
        sizes.push(measure(&project, &status, &database).await);
        println!("after {:.0} s: {:?}", seconds as f64 * part, sizes.last().unwrap());
    }
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    println!("{sent} requests");

    let (middle, last) = (&sizes[1], &sizes[2]);
    assert!(last.logs < sent * 512, "{} of {sent} requests", last.logs);
    let of_others = format!("SELECT count(*) FROM idempotency_keys WHERE product_id <> '{book}'");
    assert_eq!(one::<i64>(&database, &of_others).await, 0, "nothing is kept for a product that isn't there");
    assert!(last.keys_bytes < 64 * 1024 + 1536 * last.keys.max(50_000), "{last:?}");
    // There are the logs of two replicas, the lab and PostgreSQL, and what is written until the next look.
    assert!(last.logs < 4 * (2 * LONGEST + 8 * MB), "{last:?}");
    // Each replica may store a thousand keys more before it deletes the oldest ones, and further
    // keys are stored while it deletes.
    assert!(last.keys < 50_000 + 10_000, "{last:?}");
    let has_stopped = |middle: u64, last: u64, slack: u64| last < middle + middle / 4 + slack;
    assert!(has_stopped(middle.keys_bytes as u64, last.keys_bytes as u64, 64 * MB), "{sizes:#?}");
    assert!(has_stopped(middle.database_bytes as u64, last.database_bytes as u64, 64 * MB), "{sizes:#?}");
    assert!(last.postgres_folder < 1024 * MB + last.database_bytes as u64 + 512 * MB, "{last:?}");
    for (middle, last) in middle.memory.iter().zip(&last.memory) {
        assert!(has_stopped(*middle, *last, 32 * MB), "{sizes:#?}");
    }
    for (middle, last) in middle.open_files.iter().zip(&last.open_files) {
        assert!(*last < middle + 64, "{sizes:#?}");
    }
    assert_eq!(replica_pids(&project.status().await), replica_pids(&status), "no replica has died");
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM orders").await, 1, "nobody has bought");
    let reset = Client::new().post(project.url("/api/reset")).send().await.unwrap();
    assert!(reset.status().is_success());
    buy(&project.url(""), book).await.expect("it sells");
    database.close().await.unwrap();
    project.run(&["down"]).await;
}

async fn buy(url: &str, product: Uuid) -> reqwest::Result<()> {
    let order = Client::new().post(format!("{url}/api/orders")).json(&json!({ "product_id": product }));
    order.send().await?.error_for_status().map(|_| ())
}

/// Sends one request after the other, and returns how many it sent.
async fn send_until(end: Instant, port: u16, book: Uuid, seed: u64) -> u64 {
    let mut rng = Rng::with_seed(seed);
    let http = Client::new();
    let mut sent = 0;
    while Instant::now() < end {
        match rng.u8(0..10) {
            0..6 => {
                let product = if rng.bool() { book } else { Uuid::from_u128(rng.u128(..)) };
                let key: String = (0..rng.usize(1..=255)).map(|_| rng.alphanumeric()).collect();
                let body =
                    json!({ "product_id": product, "strategy": STRATEGIES[rng.usize(..STRATEGIES.len())] });
                let order = http.post(format!("http://127.0.0.1:{port}/api/orders"));
                // The order is refused, or too many orders come at once.
                let _ = order.header("Idempotency-Key", key).json(&body).send().await;
            }
            6..9 => send_raw(port, long_request(&mut rng).as_bytes()).await,
            _ => {
                let bytes: Vec<u8> = (0..rng.usize(1..2_000)).map(|_| rng.u8(..)).collect();
                let malformed = [b"GET / HTTP/1.1\r\n".as_slice(), &bytes, b"\r\n\r\n"].concat();
                send_raw(port, if rng.bool() { &malformed } else { &bytes }).await;
            }
        }
        sent += 1;
    }
    sent
}

/// A request with a long method, path or header of up to 60 kB, or with all of them.
fn long_request(rng: &mut Rng) -> String {
    let mut long = |letter: &str, most: usize| letter.repeat(rng.usize(1..most));
    let (path, header) = (long("p", LONGEST_HEAD / 2), long("h", LONGEST_HEAD / 4));
    let method = if header.len() % 2 == 0 { "GET".to_owned() } else { long("M", LONGEST_HEAD / 4) };
    format!(
        "{method} /{path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {header}\r\nOrigin: {header}\r\n\
         Connection: close\r\n\r\n"
    )
}

/// Waits for the answer, if there is one. Any answer of the shop will do.
async fn send_raw(port: u16, bytes: &[u8]) {
    let Ok(mut connection) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_millis(50), connection.read_to_end(&mut answer)).await;
}

async fn measure(project: &Project, status: &Value, database: &DatabaseConnection) -> Sizes {
    let state = project.path().join(".flash-sale");
    let pids: Vec<u32> =
        replica_pids(status).into_iter().chain([status["pid"].as_u64().unwrap() as u32]).collect();
    let postgres_log = Path::new(status["database"]["private"]["log"].as_str().unwrap());
    Sizes {
        logs: size_of(&state.join("logs")) + fs::metadata(project.path().join(postgres_log)).unwrap().len(),
        keys: one(database, "SELECT count(*) FROM idempotency_keys").await,
        keys_bytes: one(database, "SELECT pg_total_relation_size('idempotency_keys')").await,
        database_bytes: one(database, "SELECT pg_database_size(current_database())").await,
        postgres_folder: size_of(project.path().join(postgres_log).parent().unwrap()),
        memory: pids.iter().map(|pid| resident(*pid)).collect(),
        open_files: pids.iter().map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()).collect(),
    }
}

/// The size of all files in the folder, in bytes. Some may disappear meanwhile.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn replica_ports(status: &Value) -> Vec<u16> {
    let replicas = status["replicas"].as_array().unwrap();
    replicas.iter().map(|replica| replica["process"]["port"].as_u64().unwrap() as u16).collect()
}

fn owner_url(project: &Project, status: &Value) -> String {
    let private = &status["database"]["private"];
    let password =
        fs::read_to_string(project.path().join(private["password_file"].as_str().unwrap())).unwrap();
    format!(
        "postgres://postgres:{}@127.0.0.1:{}/flash_sale?sslmode=disable",
        password.trim(),
        private["port"]
    )
}

async fn one<T: TryGetable>(database: &DatabaseConnection, sql: &str) -> T {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    database.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
