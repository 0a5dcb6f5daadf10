//! One PostgreSQL for each test process. It lives on a thread with a runtime of its own, because the
//! runtime of a `#[tokio::test]` ends with the test.

use std::io::{self, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use anyhow::Context;
use flash_sale_core::secret::Secret;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::postgres::{Cluster, ClusterSettings, Durability};
use crate::shop_settings::DatabaseUrls;

const TEMPLATE: &str = "flash_sale_template";

/// What a new database starts with.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Migrated,
}

enum Request {
    Create(Content, oneshot::Sender<anyhow::Result<DatabaseUrls>>),
    Drop(String),
}

/// Takes one request at a time: a template can't be copied while another copy of it is being made.
static REQUESTS: LazyLock<mpsc::UnboundedSender<Request>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(|| serve(receiver));
    sender
});

/// Makes a database and returns its URLs.
pub(super) async fn create(content: Content) -> anyhow::Result<DatabaseUrls> {
    let (reply, answer) = oneshot::channel();
    REQUESTS.send(Request::Create(content, reply)).ok().context("the tests' PostgreSQL has ended")?;
    answer.await.context("the tests' PostgreSQL did not start: see the panic above")?
}

/// Has a database dropped some time soon, even when somebody still uses it.
pub(super) fn drop_soon(url: &str) {
    let _ = REQUESTS.send(Request::Drop(url.to_owned()));
}

fn serve(receiver: mpsc::UnboundedReceiver<Request>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only memory and a few file descriptors");
    runtime.block_on(async {
        let (cluster, connection) =
            start().await.unwrap_or_else(|error| panic!("the tests' PostgreSQL did not start: {error:?}"));
        answer_requests(receiver, &cluster, &connection).await;
    });
}

async fn start() -> anyhow::Result<(Cluster, DatabaseConnection)> {
    let folder = tempfile::Builder::new().prefix("flash-sale-test-").tempdir()?.keep();
    // Fetched programs are kept for the next run. The lab looks for them there too.
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.flash-sale/programs");
    // It is no failure when nobody reads our standard error.
    let say = |line: &str| drop(writeln!(io::stderr(), "{line}"));
    let mut settings = ClusterSettings::find(&folder, &programs, Durability::Disposable, &say)?;
    settings.remove_afterwards = true;

    let cluster = Cluster::start(&settings).await?;
    cluster.ensure_database(TEMPLATE).await?;
    flash_sale_migration::migrate(&cluster.url(TEMPLATE)).await?;
    flash_sale_migration::admit_shop(&cluster.url(TEMPLATE), &cluster.shop_url(TEMPLATE)).await?;
    let mut options = ConnectOptions::new(cluster.url("postgres"));
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    Ok((cluster, connection))
}

async fn answer_requests(
    mut receiver: mpsc::UnboundedReceiver<Request>,
    cluster: &Cluster,
    connection: &DatabaseConnection,
) {
    while let Some(request) = receiver.recv().await {
        match request {
            Request::Create(content, reply) => {
                let name = format!("test_{}", Uuid::new_v4().simple());
                let created = create_database(connection, &name, content).await;
                let urls = || DatabaseUrls {
                    owner: Secret::new(cluster.url(&name)),
                    shop: Secret::new(cluster.shop_url(&name)),
                };
                let _ = reply.send(created.map(|()| urls()).map_err(Into::into));
            }
            Request::Drop(url) => {
                let name = url.rsplit('/').next().and_then(|end| end.split('?').next()).unwrap_or_default();
                let _ = connection
                    .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                    .await;
            }
        }
    }
}

async fn create_database(connection: &DatabaseConnection, name: &str, content: Content) -> Result<(), DbErr> {
    let template = if let Content::Migrated = content { TEMPLATE } else { "template1" };
    connection.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
    if let Content::Migrated = content {
        // A copy of the template has the rights on the tables, but not those on the database itself.
        connection.execute_unprepared(&format!("REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")).await?;
    }
    Ok(())
}
