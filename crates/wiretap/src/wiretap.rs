//! The wire: a port for each replica, that leads to PostgreSQL. What passes is read along.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::Context;
use sea_orm::sqlx::postgres::PgConnectOptions;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::line::Line;
use crate::recorder::Recorder;
use crate::waits;

/// A port of 127.0.0.1 for each replica. When this value is dropped, all connections end.
pub struct Wiretap {
    recorder: Recorder,
    lines: BTreeMap<String, (Line, String)>,
    _watching: DropGuard,
}

impl Wiretap {
    /// Listens on a port for each of these replicas. The ports lead to the database of `url`, which is the URL of the
    /// replicas without a wiretap. Sessions with this URL are also used to ask who waits for whom.
    ///
    /// # Errors
    /// When there can be no line to this database ([`crate::line::can_lead_to`]), or when the machine has no port left.
    pub async fn listen(url: &str, replicas: &[String]) -> anyhow::Result<Self> {
        let recorder = Recorder::default();
        let options = PgConnectOptions::from_str(url).context("the database's URL can't be read")?;
        let mut lines = BTreeMap::new();
        for replica in replicas {
            let line = Line::recorded(url, recorder.clone(), replica).await?;
            lines.insert(replica.clone(), line);
        }

        let watching = CancellationToken::new();
        let (until, watch) = (watching.clone(), waits::watch(recorder.clone(), options));
        tokio::spawn(async move { until.run_until_cancelled(watch).await });
        Ok(Self { recorder, lines, _watching: watching.drop_guard() })
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
}
