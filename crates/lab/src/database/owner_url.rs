//! The URL of a running lab's database, for the owner of the tables.

use anyhow::Context;
use flash_sale_testbed::own_files::read_to_string;
use flash_sale_testbed::postgres::server::OWNER_ROLE;

use crate::control::messages::DatabaseStatus;
use crate::settings;

/// The shop's database in the private PostgreSQL.
pub const DATABASE_NAME: &str = "flash_sale";

/// The URL of the database with this status, for the owner of the tables. It holds the password: don't show it.
///
/// # Errors
/// When the password can't be read, or `DATABASE_URL` is not set here as it was for the lab.
pub fn owner_url(database: &DatabaseStatus) -> anyhow::Result<String> {
    match database {
        DatabaseStatus::Private { address, password_file, .. } => {
            let password = read_to_string(password_file)
                .with_context(|| format!("can't read {}", password_file.display()))?;
            Ok(address.url(OWNER_ROLE, password.trim(), DATABASE_NAME))
        }
        DatabaseStatus::External => {
            let urls = settings::database()?.context(
                "the shop runs on a database of yours. Name it here too: DATABASE_URL=… before this command",
            )?;
            Ok(urls.owner.reveal().to_owned())
        }
    }
}
