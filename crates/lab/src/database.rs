//! The lab's database: the one of `DATABASE_URL`, or a private PostgreSQL, which is kept running (`keeper`).

mod door;
mod keeper;
pub mod owner_url;
mod shop_role;
mod shop_session;
pub mod trouble;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use flash_sale_core::database_reason::reason;
use flash_sale_core::secret::Secret;
use flash_sale_testbed::postgres::address::socket_in;
use flash_sale_testbed::postgres::settings::MAX_CONNECTIONS;
use flash_sale_testbed::postgres::{Address, Cluster, ClusterSettings, Durability, Listen};
use flash_sale_testbed::shop_settings::DatabaseUrls;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::control::messages::{DatabaseStatus, DatabaseStop};
use crate::progress::Progress;
use crate::project;
use crate::settings::LabSettings;
use door::Door;
use keeper::{Keeper, Outage, status_of};
use owner_url::DATABASE_NAME;
use trouble::not_prepared;

/// A database that answers.
pub struct Database {
    urls: DatabaseUrls,
    status: Arc<Mutex<DatabaseStatus>>,
    stopping: CancellationToken,
    /// `None` for a database that isn't ours.
    outages: Option<mpsc::UnboundedSender<Outage>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// `None` where PostgreSQL itself listens on a port.
    _door: Option<Door>,
}

impl Database {
    /// Starts the private PostgreSQL, or waits until the database of `DATABASE_URL` answers.
    ///
    /// # Errors
    /// When it doesn't start or answer. The error says why.
    pub async fn open(settings: &LabSettings, progress: &Arc<Progress>) -> anyhow::Result<Self> {
        let stopping = CancellationToken::new();
        if let Some(urls) = settings.database.clone() {
            let name = if urls.owner == urls.shop { "DATABASE_URL" } else { "MIGRATION_DATABASE_URL" };
            flash_sale_migration::wait_for_database(urls.owner.reveal(), name, |line| progress.say(line))
                .await
                .map_err(|error| not_prepared(&error))?;
            let status = Arc::new(Mutex::new(DatabaseStatus::External));
            return Ok(Self { urls, status, stopping, outages: None, keeper: Mutex::new(None), _door: None });
        }

        progress.say("PostgreSQL: starting…");
        let say = Arc::clone(progress);
        // On a thread of its own: this may have to install PostgreSQL, and the lab has to answer commands meanwhile.
        let find = move || {
            let (place, programs) = (Path::new(project::POSTGRES), Path::new(project::PROGRAMS));
            ClusterSettings::find(place, programs, Durability::Durable, &|line| say.say(line))
        };
        let mut cluster_settings = tokio::task::spawn_blocking(find).await??;
        // During a rolling restart there is one replica more.
        cluster_settings.max_connections =
            MAX_CONNECTIONS.max((settings.replicas + 1) * settings.pool_size + door::MOST_CONNECTIONS + 50);

        cluster_settings.listen = Listen::InItsFolder;
        let cluster = Cluster::start(&cluster_settings).await?;
        cluster.ensure_database(DATABASE_NAME).await?;
        progress.say("PostgreSQL ready");
        let (port, door) = match cluster.address() {
            Address::Port(port) => {
                // The replicas know this port, so that later starts need the same one.
                cluster_settings.listen = Listen::OnPort(Some(*port));
                (*port, None)
            }
            Address::Socket(folder) => {
                let door = Door::open(socket_in(folder)).await?;
                (door.port(), Some(door))
            }
        };
        let status = Arc::new(Mutex::new(status_of(&cluster, port)));
        let owner = Secret::new(cluster.url(DATABASE_NAME));
        let shop = Secret::new(cluster.shop_url(DATABASE_NAME));
        let urls = DatabaseUrls { owner, shop };
        let (outages, receiver) = mpsc::unbounded_channel();
        let keeper = Keeper {
            settings: cluster_settings,
            port,
            status: Arc::clone(&status),
            outages: receiver,
            stopping: stopping.clone(),
        };
        let keeper = Mutex::new(Some(tokio::spawn(keeper.run(cluster))));
        Ok(Self { urls, status, stopping, outages: Some(outages), keeper, _door: door })
    }

    /// The URLs by which it is reached.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// Brings the schema up to date, and lets the shop's role do what it must and no more. Says what a person should
    /// know about that role.
    ///
    /// # Errors
    /// When the migration fails, or the shop's role can't be made or is not let in. The error says why, and what to do.
    pub async fn migrate(&self, progress: &Progress) -> anyhow::Result<()> {
        let (owner, shop) = (self.urls.owner.reveal(), self.urls.shop.reveal());
        let failed = |error| not_prepared(&format!("the migration failed: {}", reason(&error)));
        flash_sale_migration::migrate(owner).await.map_err(failed)?;
        let notes =
            flash_sale_migration::admit_shop(owner, shop).await.map_err(|error| not_prepared(&error))?;
        for note in notes {
            progress.say(format!("note: {note}"));
        }
        progress.say("schema up to date");
        Ok(())
    }

    /// What to show of the database.
    pub fn status(&self) -> DatabaseStatus {
        self.status.lock().clone()
    }

    /// Stops the private PostgreSQL, leaves it stopped for `pause`, and starts it again on its port. Returns when
    /// it accepts connections.
    ///
    /// # Errors
    /// When the database isn't the lab's own, or the lab is stopped meanwhile.
    pub async fn interrupt(&self, pause: Duration, how: DatabaseStop) -> anyhow::Result<()> {
        let outages = self.outages.as_ref().context(
            "the shop has no private PostgreSQL that this command could stop. Stop the server of DATABASE_URL \
             yourself, or start the shop without DATABASE_URL",
        )?;
        let stopped = "the shop was stopped. Start it: make run";
        let (reply, over) = oneshot::channel();
        outages.send(Outage { how, pause, reply }).ok().context(stopped)?;
        over.await.ok().context(stopped)
    }

    /// Stops the private PostgreSQL, and waits for its end. A database of `DATABASE_URL` goes on.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let keeper = self.keeper.lock().take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}
