//! The settings that name a database. Their values hold passwords, and are never part of a message.

mod complete;
mod password;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use complete::{EXPECTED, complete};
pub use password::Password;

use crate::environment::{SettingError, any_in_dotenv, optional_text};

/// DATABASE_URL: the database, and the role that the shop works as. The password may stand in PGPASSWORD, the only one
/// of libpq's variables that is read (see [`crate::environment::prepare`]). `None` when DATABASE_URL isn't set.
///
/// # Errors
/// When it is no URL of PostgreSQL.
pub fn database_url() -> Result<Option<String>, SettingError> {
    complete("DATABASE_URL", optional_text("DATABASE_URL")?, optional_text("PGPASSWORD")?)
}

/// As [`database_url`], for a program that can't do without.
///
/// # Errors
/// When it is missing, or no URL of PostgreSQL.
pub fn required_database_url() -> Result<String, SettingError> {
    let missing = || SettingError::Missing { name: "DATABASE_URL", expected: EXPECTED.to_owned() };
    database_url()?.ok_or_else(missing)
}

/// MIGRATION_DATABASE_URL: the same database, and the role that owns the tables. Its password may stand in
/// MIGRATION_PGPASSWORD, or else in PGPASSWORD. `None` when it isn't set: then the one of [`database_url`] does
/// everything.
///
/// # Errors
/// When it is no URL of PostgreSQL.
pub fn migration_database_url() -> Result<Option<String>, SettingError> {
    let own = optional_text("MIGRATION_PGPASSWORD")?;
    let password = if own.is_some() { own } else { optional_text("PGPASSWORD")? };
    complete("MIGRATION_DATABASE_URL", optional_text("MIGRATION_DATABASE_URL")?, password)
}

/// Whether `folder/.env` holds a password, and lets other users of this machine read it. It counts as it was read last.
pub fn others_may_read_passwords(folder: &Path) -> bool {
    let is_open = fs::metadata(folder.join(".env")).is_ok_and(|file| file.mode() & 0o044 != 0);
    is_open && any_in_dotenv(is_secret)
}

fn is_secret(name: &str, text: &str) -> bool {
    name.ends_with("PASSWORD") || text.contains("password=") || Password::split_off(text).1.text().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_password_is_known() {
        for (name, text) in [
            ("PGPASSWORD", "hunter2"),
            ("POSTGRES_SHOP_PASSWORD", "hunter2"),
            ("DATABASE_URL", "postgres://shop:hunter2@db/shop"),
            ("DATABASE_URL", "postgres://shop@db/shop?password=hunter2"),
        ] {
            assert!(is_secret(name, text), "{name}={text}");
        }
        for (name, text) in [("PORT", "3000"), ("DATABASE_URL", "postgres://shop@db/shop")] {
            assert!(!is_secret(name, text), "{name}={text}");
        }
    }
}
