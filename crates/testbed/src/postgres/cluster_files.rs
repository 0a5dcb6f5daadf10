//! The files of a cluster. They stand beside one another in its place. (A cluster is the data of
//! one PostgreSQL server.)

use std::path::{Path, PathBuf};

use super::place::Place;
use crate::own_files;

/// The files of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterFiles {
    /// The folder that they are in, and the user that they belong to.
    pub place: Place,
}

impl ClusterFiles {
    /// PostgreSQL's data folder.
    pub fn data(&self) -> PathBuf {
        self.place.folder.join("data")
    }

    /// The file with the superuser's password. Only its owner can read it.
    pub fn password(&self) -> PathBuf {
        self.place.folder.join("password")
    }

    /// The file with the password of the role that the shop works as.
    pub fn shop_password(&self) -> PathBuf {
        self.place.folder.join("shop-password")
    }

    /// The server's log. The process that holds the lock on this file owns the cluster.
    pub fn log(&self) -> PathBuf {
        Self::log_in(&self.place.folder)
    }

    /// The log of a cluster in `folder`.
    pub fn log_in(folder: &Path) -> PathBuf {
        folder.join("postgres.log")
    }

    /// The version that made the data: "15". `None` when there is no data yet.
    pub fn major_version(&self) -> Option<String> {
        let text = own_files::read_to_string(&self.data().join("PG_VERSION")).ok()?;
        Some(text.trim().to_owned())
    }
}
