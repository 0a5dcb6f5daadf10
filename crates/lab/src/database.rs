//! The lab's database: the one of `DATABASE_URL`, or a private PostgreSQL, which is kept running (`keeper`).

mod keeper;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::control::DatabaseStop;
use crate::postgres::settings::MAX_CONNECTIONS;
use crate::postgres::{Cluster, ClusterSettings, Durability};
use crate::progress::Progress;
use crate::project;
use crate::settings::{DatabaseUrls, LabSettings};
use keeper::{Keeper, Outage};

/// The shop's database in the private PostgreSQL.
pub const DATABASE_NAME: &str = "flash_sale";

/// What `lab status` says of the database, and what psql needs. Never a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseStatus {
    /// The lab's own PostgreSQL.
    Private {
        /// Its first process; `None` while it is started again.
        pid: Option<u32>,
        /// The port on 127.0.0.1.
        port: u16,
        /// The file that holds the password of user postgres.
        password_file: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// The one of `DATABASE_URL`.
    External,
}

/// A database that answers.
pub struct Database {
    urls: DatabaseUrls,
    status: Arc<Mutex<DatabaseStatus>>,
    stopping: CancellationToken,
    /// `None` for a database that isn't ours.
    outages: Option<mpsc::UnboundedSender<Outage>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Database {
    /// Starts the private PostgreSQL, or waits for the other one.
    ///
    /// # Errors
    /// When it doesn't start or answer: why.
    pub async fn open(settings: &LabSettings, progress: &Arc<Progress>) -> anyhow::Result<Self> {
        let stopping = CancellationToken::new();
        if let Some(urls) = settings.database.clone() {
            let name = if urls.owner == urls.shop { "DATABASE_URL" } else { "MIGRATION_DATABASE_URL" };
            flash_sale_migration::wait_for_database(&urls.owner, name, |line| progress.say(line)).await?;
            let status = Arc::new(Mutex::new(DatabaseStatus::External));
            return Ok(Self { urls, status, stopping, outages: None, keeper: Mutex::new(None) });
        }

        progress.say("PostgreSQL: starting…");
        let say = Arc::clone(progress);
        // On a thread of its own: it may have to install PostgreSQL, and others want to be answered meanwhile.
        let find = move || {
            let (place, programs) = (Path::new(project::POSTGRES), Path::new(project::PROGRAMS));
            ClusterSettings::find(place, programs, Durability::Durable, &|line| say.say(line))
        };
        let mut cluster_settings = tokio::task::spawn_blocking(find).await??;
        // During a rolling restart there is one replica more.
        cluster_settings.max_connections =
            MAX_CONNECTIONS.max((settings.replicas + 1) * settings.pool_size + 50);

        let cluster = Cluster::start(&cluster_settings).await?;
        cluster.ensure_database(DATABASE_NAME).await?;
        progress.say("PostgreSQL ready");
        cluster_settings.port = Some(cluster.port());
        let status = Arc::new(Mutex::new(status_of(&cluster)));
        let (owner, shop) = (cluster.url(DATABASE_NAME), cluster.shop_url(DATABASE_NAME));
        let urls = DatabaseUrls { owner, shop };
        let (outages, receiver) = mpsc::unbounded_channel();
        let keeper = Keeper {
            settings: cluster_settings,
            status: Arc::clone(&status),
            outages: receiver,
            stopping: stopping.clone(),
        };
        let keeper = Mutex::new(Some(tokio::spawn(keeper.run(cluster))));
        Ok(Self { urls, status, stopping, outages: Some(outages), keeper })
    }

    /// How to reach it.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// Brings the schema up to date, and lets the shop's role do what it must and no more. Says what else that
    /// role can do.
    ///
    /// # Errors
    /// When the migration fails, or the shop's role can't be made or can't log in.
    pub async fn migrate(&self, progress: &Progress) -> anyhow::Result<()> {
        let DatabaseUrls { owner, shop } = &self.urls;
        flash_sale_migration::migrate(owner).await.context("the migration failed")?;
        for left in flash_sale_migration::admit_shop(owner, shop).await? {
            progress.say(format!("note: {left}"));
        }
        progress.say("schema up to date");
        Ok(())
    }

    /// What to show of it.
    pub fn status(&self) -> DatabaseStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the private PostgreSQL, leaves it stopped for `pause`, and starts it again on its port. Returns when
    /// it accepts connections.
    ///
    /// # Errors
    /// When the database isn't the lab's own, or the lab is stopped meanwhile.
    pub async fn interrupt(&self, pause: Duration, how: DatabaseStop) -> anyhow::Result<()> {
        let outages = self.outages.as_ref().context(
            "this database is not the lab's own: stop the one of DATABASE_URL yourself, or start the lab without \
             DATABASE_URL",
        )?;
        let stopped = "the lab was stopped. Start it: make run";
        let (reply, over) = oneshot::channel();
        outages.send(Outage { how, pause, reply }).ok().context(stopped)?;
        over.await.ok().context(stopped)
    }

    /// Stops the private PostgreSQL, and waits for its end. The other one stays.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}

fn status_of(cluster: &Cluster) -> DatabaseStatus {
    DatabaseStatus::Private {
        pid: Some(cluster.pid()),
        port: cluster.port(),
        password_file: cluster.password_file(),
        log: cluster.log(),
    }
}
