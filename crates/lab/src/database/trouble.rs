//! What a person is told of a database that can't be used: what to do, and what to type next.

use std::fmt::Display;

use anyhow::anyhow;

use crate::control::messages::DatabaseStatus;

/// Words of a program that stands between the shop and PostgreSQL, and never of PostgreSQL itself: PostgreSQL knows
/// each startup parameter that we send, and keeps the prepared statements of its sessions apart.
const WORDS_OF_A_POOLER: [&str; 2] = ["unsupported startup parameter", "prepared statement"];

/// What to do when the shop runs, and can't use the database with this status, for this reason.
pub fn advice(database: &DatabaseStatus, reason: &str) -> String {
    let hint = hint(reason);
    match database {
        DatabaseStatus::External => format!(
            "{hint}The shop sells as soon as it can use the database. After a correction of DATABASE_URL: make stop run"
        ),
        DatabaseStatus::Private { log, .. } => {
            format!(
                "{hint}The shop sells as soon as PostgreSQL runs again. See why it does not run: {}",
                log.display()
            )
        }
    }
}

/// The error when the lab can't start: what failed, and what to do.
pub(super) fn not_prepared(what: &impl Display) -> anyhow::Error {
    let what = what.to_string();
    anyhow!("{what}\n{}After the correction: make run", hint(&what))
}

fn hint(reason: &str) -> &'static str {
    if WORDS_OF_A_POOLER.iter().any(|words| reason.contains(words)) {
        "This is the message of a connection pooler. The shop needs PostgreSQL itself: see README.md, \"Your own \
         PostgreSQL\".\n"
    } else if reason.contains("permission denied for schema") {
        "A role of its own may make the tables. Name it in MIGRATION_DATABASE_URL.\n"
    } else {
        ""
    }
}
