//! The only code that reads environment variables. Each program lists its own in one settings file,
//! which calls these functions.

use std::env::VarError;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

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
    /// `.env` can't be read.
    #[error(".env: {0}")]
    DotEnv(dotenvy::Error),
}

/// Adds the variables of `folder/.env` to the environment; those already set win. No file is fine.
///
/// Call it before the first thread starts.
///
/// # Errors
/// When the file is there and can't be read or parsed.
pub fn load_dotenv(folder: &Path) -> Result<(), SettingError> {
    match dotenvy::from_path(folder.join(".env")) {
        Err(error) if !error.not_found() => Err(SettingError::DotEnv(error)),
        _ => Ok(()),
    }
}

/// The variable's text, or `None` when it is absent or empty.
///
/// # Errors
/// When it is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn optional_text(name: &'static str) -> Result<Option<String>, SettingError> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(value)) => Err(SettingError::Invalid {
            name,
            value: value.to_string_lossy().into_owned(),
            expected: "UTF-8 text".to_owned(),
        }),
    }
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
