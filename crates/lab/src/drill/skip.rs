//! Faults that can't be done here, and why.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use flash_sale_testbed::reason::told;
use flash_sale_wiretap::line;

use super::fault::{Fault, Kind};
use super::options::DrillOptions;
use crate::control::messages::DatabaseStatus;
use crate::control::messages::Status;
use crate::settings::LabSettings;
use crate::shop::contestant::Contestant;
use crate::shop::database::ShopDatabase;
use crate::wording::NO_WIRETAP;

/// What is known of the place where a drill is to run.
pub struct DrillPlace {
    is_private: bool,
    is_superuser: bool,
    sees_sessions: bool,
    has_wiretap: bool,
    /// Why the database can't be far away; `None` if it can.
    no_line: Option<String>,
}

impl DrillPlace {
    /// Looks at the lab's status and at its database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(status: &Status, database: &ShopDatabase) -> anyhow::Result<Self> {
        let is_private = matches!(status.database, Some(DatabaseStatus::Private { .. }));
        let no_line = if is_private { None } else { can_be_far().err().map(|error| told(&error)) };
        Ok(Self {
            is_private,
            is_superuser: database.is_superuser().await?,
            sees_sessions: database.sees_shop_sessions().await?,
            has_wiretap: status.wiretap,
            no_line,
        })
    }

    /// Checks that the things can be done here that the drill does all the time.
    ///
    /// # Errors
    /// When one of them can't be done: why.
    pub fn allows(&self, options: &DrillOptions) -> anyhow::Result<()> {
        if let (true, Some(reason)) = (options.far, &self.no_line) {
            anyhow::bail!("the database can't be far away: {reason}");
        }
        ensure!(!options.leaving || self.sees_sessions, "buyers can't leave all the time: {NO_SESSIONS}");
        Ok(())
    }

    /// Those of these faults that can't be done here, and why.
    pub fn skip(
        &self,
        faults: &[&'static Fault],
        options: &DrillOptions,
        contestants: &[Contestant],
    ) -> BTreeMap<String, String> {
        let reason = |fault: &Fault| self.reason(fault.kind, options, contestants);
        faults.iter().filter_map(|fault| Some((fault.name.to_owned(), reason(fault)?))).collect()
    }

    fn reason(&self, kind: Kind, options: &DrillOptions, contestants: &[Contestant]) -> Option<String> {
        match kind {
            Kind::PostgresImmediateRestart | Kind::PostgresStopped if !self.is_private => {
                Some("the PostgreSQL of DATABASE_URL is not the shop's private one".to_owned())
            }
            Kind::ReadOnly if !self.is_superuser => {
                Some("only a superuser may change PostgreSQL's settings".to_owned())
            }
            Kind::ResetDuringSale if contestants.iter().all(Contestant::needs_a_product_of_its_own) => {
                let names: Vec<&str> =
                    contestants.iter().map(|contestant| contestant.name.as_str()).collect();
                Some(format!("{} can't sell the shop's book", names.join(", ")))
            }
            Kind::BuyersLeave if options.leaving => Some("buyers leave all the time".to_owned()),
            Kind::FarDatabase if options.far => Some("the database is far away all the time".to_owned()),
            Kind::BuyersLeave | Kind::FarDatabase if !self.sees_sessions => Some(NO_SESSIONS.to_owned()),
            Kind::FarDatabase => self.no_line.clone(),
            Kind::LostCommitAnswer if !self.has_wiretap => Some(NO_WIRETAP.to_owned()),
            _ => None,
        }
    }
}

/// Without a look at the sessions, nobody would notice that one was left in a transaction.
const NO_SESSIONS: &str = "the role of MIGRATION_DATABASE_URL may not see what the shop's sessions do. Let it: \
                           GRANT pg_read_all_stats TO it";

fn can_be_far() -> anyhow::Result<()> {
    let database = LabSettings::read()?.database;
    line::can_lead_to(
        database
            .context("the shop runs on a database of yours. Name it here too: DATABASE_URL")?
            .shop
            .reveal(),
    )
}
