//! The only code that reads environment variables. Each program lists its own in one settings file,
//! which calls these functions.

use std::collections::BTreeMap;
use std::env::VarError;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::dotenv::{self, LineError};

/// The variables of `.env`. They are not put into the environment: a program that we start gets what we give it.
static DOTENV: RwLock<BTreeMap<String, String>> = RwLock::new(BTreeMap::new());

/// Variables that libpq doesn't know, or that we hand on ourselves: they are ours, though they look like libpq's.
const OURS: [&str; 2] = ["PGPASSWORD", "PG_BIN_DIR"];

/// What is wrong with a setting, in words for the person who set it.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A variable that has no default is absent or empty.
    #[error("{name} is not set: expected {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        expected: String,
    },
    /// A variable holds something else than it should.
    #[error("{name}={value}: expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds, or a placeholder where that is secret.
        value: String,
        /// What it should hold.
        expected: String,
    },
    /// `.env` has a line that can't be read.
    #[error(".env, {0}")]
    Line(LineError),
    /// `.env` is there, and can't be opened.
    #[error(".env can't be read: {0}")]
    DotEnv(io::Error),
    /// The variables of libpq could not be left out.
    #[error(
        "this program could not start itself again without the variables of PostgreSQL's own programs: {0}. Unset the \
         variables that begin with PG"
    )]
    Libpq(io::Error),
}

/// The first step of each program: leaves out the variables of libpq (PGHOST, PGOPTIONS and so on), and reads
/// `folder/.env`. A variable of `.env` counts where the environment has no variable of that name.
///
/// Libpq's variables are meant for other programs, and often for another server. Our database driver would read them,
/// and so would psql. If some are set, the program is started again without them, in the same process. This is the one
/// place that keeps them away from all that we link and start.
///
/// # Errors
/// When `.env` is there and can't be read or parsed, or the program can't be started again.
pub fn prepare(folder: &Path) -> Result<(), SettingError> {
    leave_out_libpq().map_err(SettingError::Libpq)?;
    read_dotenv(folder)
}

/// Reads `folder/.env`, again if need be: somebody may have edited it.
///
/// # Errors
/// When it is there and can't be read or parsed. Then the variables from the last reading stay.
pub fn read_dotenv(folder: &Path) -> Result<(), SettingError> {
    let text = match std::fs::read(folder.join(".env")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text.map_err(SettingError::DotEnv)?,
    };
    *DOTENV.write().unwrap_or_else(PoisonError::into_inner) =
        dotenv::parse(&text).map_err(SettingError::Line)?;
    Ok(())
}

/// Whether `.env` sets a variable of which this is true, by its name and its text.
pub(crate) fn any_in_dotenv(is_meant: impl Fn(&str, &str) -> bool) -> bool {
    let variables = DOTENV.read().unwrap_or_else(PoisonError::into_inner);
    variables.iter().any(|(name, text)| !text.is_empty() && is_meant(name, text))
}

/// Returns when there is nothing to leave out.
fn leave_out_libpq() -> io::Result<()> {
    let names: Vec<OsString> =
        all().into_iter().map(|(name, _)| name).filter(|name| is_of_libpq(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    program.arg0(arguments.next().unwrap_or_default()).args(arguments);
    for name in names {
        program.env_remove(name);
    }
    Err(program.exec())
}

/// The names of all variables that libpq reads begin like this (PostgreSQL manual, "Environment Variables").
fn is_of_libpq(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"PG") && !OURS.iter().any(|ours| name == *ours)
}

/// The variable's text, or `None` when it is absent or empty. An empty one in the environment hides that of `.env`.
///
/// # Errors
/// When it is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn optional_text(name: &'static str) -> Result<Option<String>, SettingError> {
    let value = match std::env::var(name) {
        Ok(value) => Some(value),
        Err(VarError::NotPresent) => DOTENV.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned(),
        Err(VarError::NotUnicode(_)) => {
            // It may be a password.
            let value = "(hidden)".to_owned();
            return Err(SettingError::Invalid { name, value, expected: "UTF-8 text".to_owned() });
        }
    };
    Ok(value.filter(|value| !value.is_empty()))
}

/// All of them, for a program that is started with some.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// The variable's text, or `default`.
///
/// # Errors
/// As [`optional_text`].
pub fn text(name: &'static str, default: &str) -> Result<String, SettingError> {
    Ok(optional_text(name)?.unwrap_or_else(|| default.to_owned()))
}

/// The text of a variable that has no default.
///
/// # Errors
/// When it is absent, empty or not UTF-8.
pub fn required_text(name: &'static str, expected: &str) -> Result<String, SettingError> {
    optional_text(name)?.ok_or_else(|| SettingError::Missing { name, expected: expected.to_owned() })
}

/// A variable that holds a whole number within `range`, or `default`. `what` names it: "port", "number".
///
/// # Errors
/// When it is not a whole number, or out of range.
pub fn whole_number<T>(
    name: &'static str,
    what: &str,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, SettingError>
where
    T: FromStr + PartialOrd + Display,
{
    let Some(value) = optional_text(name)? else {
        return Ok(default);
    };
    match value.trim().parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let expected = format!("{what} from {} to {}", range.start(), range.end());
            Err(SettingError::Invalid { name, value, expected })
        }
    }
}

/// A variable that holds `true` or `false`, or `default`.
///
/// # Errors
/// When it is neither.
pub fn flag(name: &'static str, default: bool) -> Result<bool, SettingError> {
    match optional_text(name)?.as_deref().map(str::trim) {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(value) => {
            let expected = "true or false".to_owned();
            Err(SettingError::Invalid { name, value: value.to_owned(), expected })
        }
    }
}

/// A variable that holds milliseconds, at most `longest`, or `default`.
///
/// # Errors
/// When it is not a whole number, or too long.
pub fn milliseconds(
    name: &'static str,
    default: Duration,
    longest: Duration,
) -> Result<Duration, SettingError> {
    let whole = |duration: Duration| duration.as_millis() as u64;
    let number = whole_number(name, "a whole number of milliseconds", whole(default), 0..=whole(longest))?;
    Ok(Duration::from_millis(number))
}
