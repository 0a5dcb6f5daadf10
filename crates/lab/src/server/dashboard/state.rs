//! The running shop for the dashboard's page State.

use std::sync::Weak;

use chrono::{DateTime, Utc};
use flash_sale_dashboard::Shop;
use flash_sale_dashboard::shop_state::{
    BuildState, DatabaseState, GatewayState, ReplicaState, ShopState, Traffic,
};
use flash_sale_testbed::program_file::ProgramFile;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::asked::Asked;
use super::newer_sources;
use super::traffic;
use crate::control::messages::ReplicaStatus;
use crate::server::lab::Lab;

/// The lab's parts, asked for what they are just now.
pub(super) struct RunningShop {
    /// The lab owns the dashboard, and not the other way round.
    pub(super) lab: Weak<Lab>,
    pub(super) asked: Asked,
}

impl Shop for RunningShop {
    fn state(&self) -> BoxFuture<'_, ShopState> {
        self.look().boxed()
    }
}

impl RunningShop {
    async fn look(&self) -> ShopState {
        let lab = self.lab.upgrade();
        let url =
            lab.as_ref().and_then(|lab| lab.database.get()).map(|database| database.urls().owner.clone());
        let (database, database_away) = match url {
            Some(url) => told(self.asked.ask(&url).await),
            None => (None, Some("it has not started yet".to_owned())),
        };
        // On a thread of its own: this looks at files, and reads up to 10,000 transactions.
        let rest = tokio::task::spawn_blocking(move || lab.map(|lab| lab.looked_at()));
        let nothing = || (Traffic::default(), Vec::new(), GatewayState::default(), BuildState::Unknown);
        let (traffic, replicas, gateway, build) = rest.await.ok().flatten().unwrap_or_else(nothing);
        ShopState { at: Utc::now(), traffic, database, database_away, replicas, gateway, build }
    }
}

fn told(asked: Result<DatabaseState, String>) -> (Option<DatabaseState>, Option<String>) {
    match asked {
        Ok(state) => (Some(state), None),
        Err(reason) => (None, Some(reason)),
    }
}

impl Lab {
    fn looked_at(&self) -> (Traffic, Vec<ReplicaState>, GatewayState, BuildState) {
        let status = self.status();
        let built = ProgramFile::at(&self.binary).ok();
        let replicas: Vec<ReplicaState> =
            status.replicas.into_iter().map(|replica| replica_state(replica, built.as_ref())).collect();
        let gateway = GatewayState {
            connections_open: status.connections_open,
            connections_at_most: self.gateway.most_connections(),
            connections_accepted: status.connections_accepted,
        };
        let traffic = self.wiretap.get().map(|wiretap| traffic::of(wiretap.recorder())).unwrap_or_default();
        let build = self.build_state(&replicas, built.is_some());
        (traffic, replicas, gateway, build)
    }

    fn build_state(&self, replicas: &[ReplicaState], is_built: bool) -> BuildState {
        let sources = newer_sources::than(&self.binary);
        if !is_built {
            BuildState::Unknown
        } else if !sources.is_empty() {
            BuildState::NotBuilt { sources }
        } else if replicas
            .iter()
            .any(|replica| replica.pid.is_some() && replica.runs_last_build != Some(true))
        {
            BuildState::Outdated
        } else {
            BuildState::UpToDate
        }
    }
}

fn replica_state(replica: ReplicaStatus, built: Option<&ProgramFile>) -> ReplicaState {
    let process = replica.process;
    let started_at = process.as_ref().and_then(|process| {
        DateTime::from_timestamp(i64::try_from(process.started_at).unwrap_or(i64::MAX), 0)
    });
    let program = process.as_ref().and_then(|process| process.program.as_ref());
    ReplicaState {
        name: replica.name,
        pid: process.as_ref().map(|process| process.pid),
        answers: process.as_ref().is_some_and(|process| process.answers),
        started_at,
        restarts: replica.restarts,
        runs_last_build: program.zip(built).map(|(runs, built)| runs == built),
    }
}
