//! The wire: a way to PostgreSQL for each replica. What passes is read along.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use flash_sale_core::limits::ACQUIRE_TIMEOUT;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::carrier::Carrier;
use crate::line::{ANY_PORT, Line, ListenAt, Tap};
use crate::recorder::Recorder;
use crate::waits;

/// A way to the database for each replica. When this value is dropped, all connections end.
pub struct Wiretap {
    recorder: Recorder,
    lines: BTreeMap<String, (Line, String)>,
    _carrier: Carrier,
}

/// Where the wiretap listens.
#[derive(Clone, Copy, Debug)]
pub enum Entrance<'a> {
    /// On a port of 127.0.0.1 for each replica. Any user of the machine can connect to it.
    Ports,
    /// On this address for the first replica, and on the next ports for the other replicas. Everybody who reaches the
    /// address can connect to it.
    From(SocketAddr),
    /// On a Unix socket for each replica, in this folder.
    Folder(&'a Path),
}

impl Wiretap {
    /// Listens for each of these replicas. What comes there is led to the database of `url`, which is the URL of the
    /// replicas without a wiretap. A session with this URL also asks who waits for whom.
    ///
    /// # Errors
    /// When there can be no line to this database ([`crate::line::can_lead_to`]), or when it can't listen or start a thread.
    pub fn listen(url: &str, replicas: &[String], entrance: Entrance<'_>) -> anyhow::Result<Self> {
        let recorder = Recorder::default();
        let options = PgConnectOptions::from_str(url).context("the database's URL can't be read")?;
        let carrier = Carrier::start().context("no thread can be started for it")?;
        let on_its_thread = carrier.enter();
        let mut lines = BTreeMap::new();
        for (replica, number) in replicas.iter().zip(1..) {
            let at = match entrance {
                Entrance::Ports => ListenAt::Port(ANY_PORT),
                Entrance::From(mut address) => {
                    address.set_port(address.port().saturating_add(number - 1));
                    ListenAt::Port(address)
                }
                Entrance::Folder(folder) => ListenAt::Folder(folder, number),
            };
            let tap = Tap { recorder: recorder.clone(), replica, at };
            lines.insert(replica.clone(), Line::recorded(url, tap)?);
        }

        tokio::spawn(waits::watch(recorder.clone(), options));
        drop(on_its_thread);
        Ok(Self { recorder, lines, _carrier: carrier })
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
