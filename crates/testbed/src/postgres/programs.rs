//! Finds PostgreSQL's programs on this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use flash_sale_core::environment;

/// A folder that holds `initdb` and `postgres` of one version.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// The first number of the version, as it stands in a cluster's PG_VERSION: "15".
    major_version: String,
}

impl Programs {
    /// Looks in `PG_BIN_DIR`, in the PATH, where `pg_config` says, and where packages put the programs. With
    /// `major_version`, only programs count that can open a cluster of this version.
    ///
    /// # Errors
    /// When `PG_BIN_DIR` is set and is no folder with the programs.
    pub fn find(major_version: Option<&str>) -> anyhow::Result<Option<Self>> {
        if let Some(folder) = environment::optional_text("PG_BIN_DIR")? {
            let programs = Self::in_folder(Path::new(&folder));
            return programs
                .map(Some)
                .with_context(|| format!("PG_BIN_DIR={folder}: expected a folder with initdb and postgres"));
        }
        let suitable = |programs: &Self| major_version.is_none_or(|wanted| programs.major_version == wanted);
        let found = candidates()?.iter().filter_map(|folder| Self::in_folder(folder)).find(suitable);
        Ok(found)
    }

    /// The programs of `folder`, if both are there.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        // A folder of links (/usr/local/bin) lacks the other programs, which stand beside the program that
        // the link leads to.
        let folder = match folder.join("postgres").canonicalize().ok()?.parent() {
            Some(real) if real.join("initdb").is_file() => real.to_owned(),
            _ => folder.canonicalize().ok().filter(|folder| folder.join("initdb").is_file())?,
        };
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?;
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let number = version.split_whitespace().nth(2)?;
        let major_version = number.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { folder, major_version })
    }

    /// Where `initdb` is.
    pub fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    /// Where `postgres` is.
    pub fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// The first number of the version, as it stands in a cluster's PG_VERSION.
    pub fn major_version(&self) -> &str {
        &self.major_version
    }
}

/// Finds `psql`. Client programs are often installed without a server. It looks in `fetched` last.
///
/// # Errors
/// When there is none.
pub fn find_psql(fetched: &Path) -> anyhow::Result<PathBuf> {
    let Some(psql) = find_client("psql", fetched)? else {
        bail!(
            "psql was not found. Debian or Ubuntu: apt-get install postgresql-client; macOS: brew install libpq"
        )
    };
    Ok(psql)
}

/// Finds one of PostgreSQL's client programs, as `pgbench`. It looks in `fetched` last. `None`: it isn't installed.
///
/// # Errors
/// When a variable that names folders can't be read.
pub fn find_client(name: &str, fetched: &Path) -> anyhow::Result<Option<PathBuf>> {
    let folders = candidates()?.into_iter().chain([fetched.to_owned()]);
    Ok(folders.map(|folder| folder.join(name)).find(|path| path.is_file()))
}

fn candidates() -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    folders.extend(environment::optional_text("PG_BIN_DIR")?.map(PathBuf::from));
    let path = environment::optional_text("PATH")?.unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    folders.extend(newest_first("/usr/lib/postgresql", "bin"));
    folders.extend(newest_first("/opt/homebrew/opt", "bin"));
    folders.extend(newest_first("/usr/local/opt", "bin"));
    folders.extend(newest_first("/usr", "bin"));
    folders.extend(newest_first("/Applications/Postgres.app/Contents/Versions", "bin"));
    Ok(folders)
}

/// Folders like `parent`/postgresql@17/`child`, the highest version first.
fn newest_first(parent: &str, child: &str) -> Vec<PathBuf> {
    let versioned = |name: &OsStr| -> Option<u32> {
        let name = name.to_str()?;
        let version = ["postgresql@", "pgsql-", ""].iter().find_map(|prefix| name.strip_prefix(prefix))?;
        version.split('.').next()?.parse().ok()
    };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((versioned(&entry.file_name())?, entry.path().join(child))))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, folder)| folder).collect()
}
