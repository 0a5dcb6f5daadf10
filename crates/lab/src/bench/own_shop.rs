//! A shop for the benchmark alone: a durable PostgreSQL, two replicas and the gateway, as `make run` has them, without
//! the wiretap. A shop that runs is not disturbed. Start with [`open`].

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use flash_sale_core::secret::Secret;
use flash_sale_gateway::{self as gateway, Gateway};
use flash_sale_testbed::own_files;
use flash_sale_testbed::postgres::{Cluster, ClusterSettings, Durability, Listen};
use flash_sale_testbed::shop_process::{self, Readiness, ShopProcess, ShopProgram};
use flash_sale_testbed::shop_settings::ShopVariables;
use futures::future::select_all;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::cpu::Meter;
use super::pgbench::MOST_CLIENTS;
use crate::console;
use crate::project;
use crate::server::log_keeper;
use crate::shop::database::ShopDatabase;

const DATABASE: &str = "bench";
const NAMES: [&str; 2] = ["replica-1", "replica-2"];
/// Sessions beside those of pgbench's clients: the replicas' pools and the lab's own.
const OTHER_SESSIONS: u32 = 100;

/// The shop, as it is measured.
pub struct OwnShop {
    /// Where the gateway listens.
    pub address: SocketAddr,
    /// Its database, for its owner.
    pub database: ShopDatabase,
    /// The database's URL, as the replicas have it.
    pub shop_url: Secret,
    /// Its processes, whose processor time and memory are read.
    pub meter: Meter,
}

/// What runs the shop. All of it ends when this is dropped.
pub struct OwnProcesses {
    replicas: Vec<ShopProcess>,
    cluster: Cluster,
    gateway: Gateway,
    log_keeper: AbortHandle,
    _turn: File,
}

/// Starts everything, with an empty database. `binary` is the shop's program. There may be `clients` clients of
/// pgbench at once.
///
/// # Errors
/// When something doesn't start, or another benchmark runs in this folder.
pub async fn open(binary: &Path, clients: usize) -> anyhow::Result<(OwnShop, OwnProcesses)> {
    make_folders()?;
    let turn = take_turn()?;
    let cluster = start_cluster(clients).await?;
    let database = ShopDatabase::connect(&cluster.url(DATABASE)).await?;

    let listener = gateway::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let gateway = Gateway::start(listener, NAMES.len())?;
    let shop_url = Secret::new(cluster.shop_url(DATABASE));
    let replicas = start_replicas(binary, address, &shop_url).await?;
    for (number, replica) in replicas.iter().enumerate() {
        gateway.set_replica(number, Some(replica.address));
    }
    let meter =
        Meter { replicas: replicas.iter().map(ShopProcess::pid).collect(), postgresql: cluster.pid() };
    let log_keeper = tokio::spawn(log_keeper::keep_short(project::BENCH_LOGS)).abort_handle();
    let shop = OwnShop { address, database, shop_url, meter };
    Ok((shop, OwnProcesses { replicas, cluster, gateway, log_keeper, _turn: turn }))
}

impl OwnProcesses {
    /// Waits until one of the processes ends, which none of them should.
    pub async fn first_end(&mut self) -> anyhow::Error {
        let replicas = select_all(self.replicas.iter_mut().map(|replica| Box::pin(replica.wait())));
        tokio::select! {
            (ended, number, _) = replicas => {
                let (name, logs) = (NAMES[number], project::BENCH_LOGS);
                anyhow!("{name} has ended during the benchmark ({}). Look at {logs}/{name}.log", how(ended))
            }
            ended = self.cluster.wait() => {
                anyhow!("PostgreSQL has ended during the benchmark ({})", how(ended))
            }
        }
    }

    /// Ends all of them, and waits for their end.
    pub async fn stop(self) {
        self.log_keeper.abort();
        for replica in self.replicas {
            replica.stop().await;
        }
        self.gateway.close().await;
        if let Err(error) = self.cluster.stop().await {
            log::error!("PostgreSQL: {error}");
        }
    }
}

fn how(ended: std::io::Result<std::process::ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn make_folders() -> anyhow::Result<()> {
    project::make_folders()?;
    for (folder, mode) in [(project::BENCH, own_files::mode_on_the_way()), (project::BENCH_LOGS, 0o700)] {
        own_files::make_our_folder(Path::new(folder), mode)?;
    }
    Ok(())
}

/// Two benchmarks at once would measure each other.
fn take_turn() -> anyhow::Result<File> {
    let path = Path::new(project::BENCH).join("lock");
    let file = own_files::open_to_append(&path).with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another benchmark runs in this folder. Wait for its end, then: make bench")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

async fn start_cluster(clients: usize) -> anyhow::Result<Cluster> {
    let find = || {
        let (wanted, programs) = (Path::new(project::BENCH_POSTGRES), Path::new(project::PROGRAMS));
        ClusterSettings::find(wanted, programs, Durability::Durable, &|line| console::error_line(line))
    };
    let mut settings = tokio::task::spawn_blocking(find).await??;
    settings.listen = Listen::InItsFolder;
    settings.max_connections =
        settings.max_connections.max(clients.min(MOST_CLIENTS) as u32 + OTHER_SESSIONS);
    let cluster = Cluster::start(&settings).await?;
    cluster.remake_database(DATABASE).await?;
    let (owner, shop) = (cluster.url(DATABASE), cluster.shop_url(DATABASE));
    flash_sale_migration::migrate(&owner).await?;
    flash_sale_migration::admit_shop(&owner, &shop).await?;
    Ok(cluster)
}

async fn start_replicas(
    binary: &Path,
    gateway: SocketAddr,
    shop_url: &Secret,
) -> anyhow::Result<Vec<ShopProcess>> {
    let program = ShopProgram {
        binary: binary.to_owned(),
        // The replicas work in another folder.
        static_folder: std::path::absolute("static").context("the current folder is gone")?,
        folder: PathBuf::from(project::BENCH),
        logs: PathBuf::from(project::BENCH_LOGS),
        database_url: shop_url.clone(),
        order_api_url: format!("http://{gateway}/api/orders"),
    };
    let variables: ShopVariables = [("RACE_WINDOW_MS".to_owned(), "0".to_owned())].into();
    let stopping = CancellationToken::new();
    let mut replicas = Vec::new();
    for name in NAMES {
        let (replica, readiness) = shop_process::start(&program, name, &variables, &stopping).await?;
        if readiness == Readiness::WithoutDatabase {
            bail!(
                "{name} can't reach the benchmark's PostgreSQL. Look at {}/{name}.log",
                project::BENCH_LOGS
            );
        }
        replicas.push(replica);
    }
    Ok(replicas)
}
