//! Where schedules are played: a PostgreSQL of the explorer's own, a replica for each actor, and the wiretap between
//! them. A shop that runs is not disturbed.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flash_sale_core::secret::Secret;
use flash_sale_testbed::own_files;
use flash_sale_testbed::postgres::{Cluster, ClusterSettings, Durability, Listen};
use flash_sale_testbed::shop_process::{self, ShopProcess, ShopProgram};
use flash_sale_testbed::shop_settings::ShopVariables;
use flash_sale_wiretap::line::{Line, Passage};
use flash_sale_wiretap::{Entrance, Recorder, Wiretap};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::act::{Ask, Reply};
use crate::database::ExplorerDatabase;

const DATABASE: &str = "explored";
/// A request may use several connections. All of them are opened at the start.
const POOL_SIZE: &str = "4";
/// The longest that a replica takes: an hour.
const LONGEST_HOLD: &str = "3600000";
/// Another exploration of this checkout may take so long.
const TURN_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// A replica has done what it does at its start when its line was quiet for so long.
const QUIET: Duration = Duration::from_millis(50);
/// PostgreSQL looks for a deadlock after this time of waiting, and ends the statement that has waited for longest. It
/// is far longer than the steps between two waits take, and so it is always the same statement.
const DEADLOCK_TIMEOUT: &str = "200ms";

/// What a stage needs.
#[derive(Clone, Debug)]
pub struct StageSettings {
    /// The folder for the database and the logs.
    pub folder: PathBuf,
    /// Where fetched programs of PostgreSQL are.
    pub programs: PathBuf,
    /// The shop's program.
    pub binary: PathBuf,
    /// The project's static/.
    pub static_folder: PathBuf,
    /// How many actors there are. Each has a replica of its own.
    pub actors: usize,
}

/// Something that happens on a stage.
pub(crate) enum Happening {
    /// At the turnstile of this actor's replica.
    AtTurnstile(usize, Passage),
    /// This actor's request of this play was answered.
    Replied { play: u64, actor: usize, reply: Reply },
}

/// Where schedules are played. Everything ends with it.
pub struct Stage {
    pub(crate) database: ExplorerDatabase,
    pub(crate) asks: Vec<Ask>,
    pub(crate) happenings: mpsc::UnboundedReceiver<Happening>,
    pub(crate) tell: mpsc::UnboundedSender<Happening>,
    /// Counts the schedules that were played.
    pub(crate) plays: u64,
    /// The server processes whose next write is stopped inside.
    pub(crate) stops: BTreeSet<i32>,
    wiretap: Wiretap,
    _replicas: Vec<ShopProcess>,
    cluster: Cluster,
    _turn: File,
}

impl Stage {
    /// Starts everything. It is ready when this returns.
    ///
    /// # Errors
    /// When something doesn't start, or another exploration of the same folder doesn't end. The error says why.
    pub async fn open(settings: &StageSettings) -> anyhow::Result<Self> {
        for folder in [&settings.folder, &settings.folder.join("logs"), &settings.folder.join("wire")] {
            let mode = if folder == &settings.folder { own_files::mode_on_the_way() } else { 0o700 };
            own_files::make_our_folder(folder, mode)?;
        }
        let turn = take_turn(&settings.folder).await?;
        let cluster = start_cluster(settings).await?;
        let owner_url = cluster.url(DATABASE);
        let mut database = ExplorerDatabase::connect(&owner_url).await?;
        database.take_control().await?;

        let names: Vec<String> = (1..=settings.actors).map(|number| format!("replica-{number}")).collect();
        let wiretap = tap(&cluster.shop_url(DATABASE), &names, &settings.folder.join("wire")).await?;
        let replicas = start_replicas(settings, &names, &wiretap).await?;
        let asks = replicas.iter().map(|replica| Ask::of(format!("http://{}", replica.address)));
        let asks = asks.collect::<anyhow::Result<_>>()?;

        let (tell, happenings) = mpsc::unbounded_channel();
        let stage = Self {
            database,
            asks,
            happenings,
            tell,
            plays: 0,
            stops: BTreeSet::new(),
            wiretap,
            _replicas: replicas,
            cluster,
            _turn: turn,
        };
        stage.close_turnstiles(&names).await;
        Ok(stage)
    }

    /// What passed the wire.
    pub fn recorder(&self) -> &Recorder {
        self.wiretap.recorder()
    }

    /// The database's URL for its owner.
    pub(crate) fn owner_url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// What a replica does at its start (it prepares its connections, and forgets old keys) is no part of a schedule.
    async fn close_turnstiles(&self, names: &[String]) {
        for (actor, name) in names.iter().enumerate() {
            let Some(line) = self.wiretap.line_of(name) else { continue };
            until_quiet(line).await;
            let tell = self.tell.clone();
            line.turnstile().close(move |passage| {
                // When nobody hears it, the stage ends.
                let _ = tell.send(Happening::AtTurnstile(actor, passage));
            });
        }
    }
}

/// Puts the wiretap between the replicas and PostgreSQL: on sockets, or on ports where the sockets' paths are too long.
async fn tap(url: &str, names: &[String], folder: &Path) -> anyhow::Result<Wiretap> {
    if let Ok(wiretap) = Wiretap::listen(url, names, Entrance::Folder(folder))
        && wiretap.try_out().await.is_ok()
    {
        return Ok(wiretap);
    }
    let wiretap = Wiretap::listen(url, names, Entrance::Ports)?;
    wiretap.try_out().await.context("no session can be opened through the wiretap")?;
    Ok(wiretap)
}

async fn until_quiet(line: &Line) {
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET {
        sleep(POLL / 5).await;
        if !line.is_quiet() {
            quiet_since = Instant::now();
        }
    }
}

async fn take_turn(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let opened = || format!("can't open {}", path.display());
    let file = own_files::open_to_append(&path).with_context(opened)?;
    let deadline = Instant::now() + TURN_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL).await,
            Err(TryLockError::WouldBlock) => {
                bail!("another exploration runs in this folder. Wait for its end, then try again")
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(opened),
        }
    }
}

/// Starts the explorer's PostgreSQL with a new database. Its data may be lost at any time.
async fn start_cluster(settings: &StageSettings) -> anyhow::Result<Cluster> {
    let (wanted, programs) = (settings.folder.join("postgres"), settings.programs.clone());
    let find = move || {
        ClusterSettings::find(&wanted, &programs, Durability::Disposable, &|line| log::info!("{line}"))
    };
    let mut found = tokio::task::spawn_blocking(find).await??;
    found.listen = Listen::InItsFolder;
    let cluster = Cluster::start(&found).await?;
    cluster.remake_database(DATABASE).await?;
    let (owner, shop) = (cluster.url(DATABASE), cluster.shop_url(DATABASE));
    flash_sale_migration::migrate(&owner).await?;
    flash_sale_migration::admit_shop(&owner, &shop).await?;
    cluster.set_for_database(DATABASE, "deadlock_timeout", DEADLOCK_TIMEOUT).await?;
    Ok(cluster)
}

async fn start_replicas(
    settings: &StageSettings,
    names: &[String],
    wiretap: &Wiretap,
) -> anyhow::Result<Vec<ShopProcess>> {
    let variables = [
        ("RACE_WINDOW_MS", "0"),
        ("DATABASE_POOL_SIZE", POOL_SIZE),
        ("RUST_LOG", "warn"),
        // No hold lapses while a schedule is played, and no sweep comes between its steps.
        ("HOLD_MS", LONGEST_HOLD),
        ("HOLD_SWEEP_MS", LONGEST_HOLD),
    ];
    let variables: ShopVariables =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let stopping = CancellationToken::new();
    let mut starts = Vec::new();
    for name in names {
        let url = wiretap.url_of(name).context("each replica has a line")?;
        let program = ShopProgram {
            binary: settings.binary.clone(),
            static_folder: settings.static_folder.clone(),
            folder: settings.folder.clone(),
            logs: settings.folder.join("logs"),
            database_url: Secret::new(url),
            order_api_url: "http://127.0.0.1:9/api/orders".to_owned(),
        };
        let (name, variables, stopping) = (name.clone(), variables.clone(), stopping.clone());
        starts.push(tokio::spawn(async move {
            shop_process::start(&program, &name, &variables, &stopping).await
        }));
    }
    let mut replicas = Vec::new();
    for start in starts {
        replicas.push(start.await??.0);
    }
    Ok(replicas)
}
