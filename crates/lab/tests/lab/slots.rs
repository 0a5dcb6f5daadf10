//! Another user of this machine takes all of PostgreSQL's slots that can be had. A startup packet is enough to take
//! a slot, because PostgreSQL asks for the password only later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flash_sale_testbed::http::answers_ok;
use flash_sale_testbed::postgres::{Cluster, ClusterSettings, Durability};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::*;

/// More buyers than a replica has connections.
const BUYERS: usize = 24;

#[tokio::test]
async fn a_stranger_who_takes_what_slots_there_are_takes_none_of_the_private_postgres() {
    let project = Project::new();
    project.up().await;
    project.run(&["psql", "-qc", "UPDATE products SET quantity = 100"]).await;
    let private = project.status().await["database"]["private"].clone();

    let stranger = Stranger::at(private["port"].as_u64().unwrap() as u16, 250);
    wait_until("the stranger has come in everywhere", async || stranger.has_tried(500)).await;

    assert_eq!(buy_at_once(&project).await, vec![200; BUYERS]);
    let psql = project.run(&["psql", "-Atc", "SELECT quantity FROM products"]).await;
    assert_eq!(psql.output.trim(), (100 - BUYERS).to_string(), "{}", psql.errors);
    let restarted = project.run(&["restart"]).await;
    assert!(restarted.success, "{}", restarted.errors);
    assert!(answers_ok(&project.url("/ready")).await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn another_user_does_not_even_see_the_socket() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can be another user");
    }
    let project = Project::new();
    project.up().await;
    let socket = project.path().join(".flash-sale/postgres/.s.PGSQL.5432");
    let finds = async |path: &Path, uid: u32| {
        let mut test = Command::new("/bin/sh");
        test.args(["-c", r#"test -e "$1""#, "test"]).arg(path).uid(uid).gid(uid);
        test.status().await.unwrap().success()
    };

    assert!(finds(&socket, 0).await && !finds(&socket, 65533).await);
    assert!(finds(project.path(), 65533).await, "it is not the way there that is closed");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_person_still_comes_in_by_the_port() {
    let project = Project::new();
    project.up().await;
    let private = project.status().await["database"]["private"].clone();
    let (port, file) = (private["port"].clone(), private["password_file"].as_str().unwrap().to_owned());

    let url =
        format!("postgres://postgres:{}@127.0.0.1:{port}/flash_sale", fs::read_to_string(file).unwrap());
    let connection = sea_orm::Database::connect(url).await.unwrap();
    connection.ping().await.unwrap();
    connection.close().await.unwrap();

    project.run(&["down"]).await;
}

/// This is so with every PostgreSQL that others can connect to, too.
#[tokio::test]
async fn replicas_that_have_their_connections_need_no_slot_of_a_server_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.flash-sale/programs");
    let say = |line: &str| eprintln!("{line}");
    let mut settings =
        ClusterSettings::find(&folder.path().join("postgres"), &programs, Durability::Disposable, &say)
            .unwrap();
    settings.max_connections = 40;
    let cluster = Cluster::start(&settings).await.unwrap();
    cluster.ensure_database("shop").await.unwrap();
    let mut project = Project::new();
    project.variables =
        vec![("DATABASE_URL", cluster.shop_url("shop")), ("MIGRATION_DATABASE_URL", cluster.url("shop"))];
    project.up().await;
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'replica-%'";
    wait_until("both replicas have their connections", async || {
        project.run(&["psql", "-Atc", connected]).await.output.trim() == "20"
    })
    .await;
    project.run(&["psql", "-qc", "UPDATE products SET quantity = 100"]).await;

    let stranger = Stranger::at(cluster.address().number(), 100);
    wait_until("there is no slot left", async || {
        project.run(&["psql", "-Atc", "SELECT 1"]).await.errors.contains("too many clients already")
    })
    .await;

    assert_eq!(buy_at_once(&project).await, vec![200; BUYERS]);
    drop(stranger);
    project.run(&["down"]).await;
    cluster.stop().await.unwrap();
}

async fn buy_at_once(project: &Project) -> Vec<u16> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let products: Value =
        client.get(project.url("/api/products")).send().await.unwrap().json().await.unwrap();
    let order = serde_json::json!({ "product_id": products["id"] });
    let purchases = (0..BUYERS).map(|_| client.post(project.url("/api/orders")).json(&order).send());
    join_all(purchases).await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect()
}

/// So many connections at once: each connects, says a user's name, waits until it is thrown out, and comes again.
struct Stranger {
    tried: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Stranger {
    fn at(port: u16, connections: usize) -> Self {
        let tried = Arc::<AtomicUsize>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let tried = Arc::clone(&tried);
            tasks.spawn(async move {
                loop {
                    let _ = take_slot(port, &tried).await;
                    // Without a pause, all connections that are thrown out together would leave
                    // no processor for anybody.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
        Self { tried, _tasks: tasks }
    }

    fn has_tried(&self, times: usize) -> bool {
        self.tried.load(Ordering::SeqCst) >= times
    }
}

async fn take_slot(port: u16, tried: &AtomicUsize) -> std::io::Result<()> {
    let mut slot = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    tried.fetch_add(1, Ordering::SeqCst);
    // StartupMessage (PostgreSQL manual, section 55.7): its length, protocol 3.0, pairs of names and values.
    let pairs = b"user\0postgres\0database\0postgres\0\0";
    slot.write_all(&(8 + pairs.len() as u32).to_be_bytes()).await?;
    slot.write_all(&0x0003_0000_u32.to_be_bytes()).await?;
    slot.write_all(pairs).await?;
    slot.read_to_end(&mut Vec::new()).await.map(|_| ())
}
