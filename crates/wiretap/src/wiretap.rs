//! The wire: a way to PostgreSQL for each replica. What passes is read along.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use flash_sale_core::limits::ACQUIRE_TIMEOUT;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::line::{Line, Tap};
use crate::recorder::Recorder;
use crate::waits;

/// A way to the database for each replica. When this value is dropped, all connections end.
pub struct Wiretap {
    recorder: Recorder,
    lines: BTreeMap<String, (Line, String)>,
    _watching: DropGuard,
}

/// Where the wiretap listens.
#[derive(Clone, Copy, Debug)]
pub enum Entrance<'a> {
    /// On a port of 127.0.0.1 for each replica. Any user of the machine can connect to it.
    Ports,
    /// On a Unix socket for each replica, in this folder.
    Folder(&'a Path),
}

impl Wiretap {
    /// Listens for each of these replicas. What comes there is led to the database of `url`, which is the URL of the
    /// replicas without a wiretap. A session with this URL also asks who waits for whom.
    ///
    /// # Errors
    /// When there can be no line to this database ([`crate::line::can_lead_to`]), or when it can't listen.
    pub async fn listen(url: &str, replicas: &[String], entrance: Entrance<'_>) -> anyhow::Result<Self> {
        let recorder = Recorder::default();
        let options = PgConnectOptions::from_str(url).context("the database's URL can't be read")?;
        let mut lines = BTreeMap::new();
        for (replica, number) in replicas.iter().zip(1..) {
            let folder = match entrance {
                Entrance::Ports => None,
                Entrance::Folder(folder) => Some(folder),
            };
            let tap = Tap { recorder: recorder.clone(), replica, folder, number };
            lines.insert(replica.clone(), Line::recorded(url, tap).await?);
        }

        let watching = CancellationToken::new();
        let (until, watch) = (watching.clone(), waits::watch(recorder.clone(), options));
        tokio::spawn(async move { until.run_until_cancelled(watch).await });
        Ok(Self { recorder, lines, _watching: watching.drop_guard() })
    }

    /// Opens a session through the wire, and closes it. A server may take encrypted sessions only, and there the
    /// replicas have to go to the database directly.
    ///
    /// # Errors
    /// When no session can be opened. The error says why.
    pub async fn try_out(&self) -> anyhow::Result<()> {
        if let Some((_, url)) = self.lines.values().next() {
            let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
            let session = timeout(ACQUIRE_TIMEOUT, options.connect()).await.context("nobody answers")??;
            session.close().await?;
        }
        Ok(())
    }

    /// What has passed.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The URL that leads this replica to the database.
    pub fn url_of(&self, replica: &str) -> Option<&str> {
        self.lines.get(replica).map(|(_, url)| url.as_str())
    }

    /// The line of this replica. Faults can be made on it.
    pub fn line_of(&self, replica: &str) -> Option<&Line> {
        self.lines.get(replica).map(|(line, _)| line)
    }

    /// The lines of all replicas.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values().map(|(line, _)| line)
    }
}
