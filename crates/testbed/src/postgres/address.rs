//! Where a private PostgreSQL listens. The lab's own listens in a folder that nobody else gets into. Everybody
//! who may connect could take one of its slots, also without a password: PostgreSQL gives a slot away before it
//! asks for the password.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

/// The number in the socket's name. The folder is the server's own, so any number will do.
const SOCKET_NUMBER: u16 = 5432;

/// The longest path of a socket, in bytes. Of the systems that we run on, macOS allows the shortest (`sockaddr_un`).
const LONGEST_PATH: usize = 103;

/// How a server should be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Through a Unix socket in its own folder, if the folder's path is short enough for one. Otherwise
    /// on any free port.
    InItsFolder,
    /// On this port of 127.0.0.1, or on any free one when it is `None`.
    OnPort(Option<u16>),
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// Through a Unix socket in this folder.
    Socket(PathBuf),
    /// On this port of 127.0.0.1.
    Port(u16),
}

impl Address {
    /// The address of a socket in `folder`, if the folder's path is short enough for one.
    pub(super) fn in_folder(folder: &Path) -> Option<Self> {
        let path = socket_in(folder);
        path.to_str().is_some_and(|path| path.len() <= LONGEST_PATH).then(|| Self::Socket(folder.to_owned()))
    }

    /// The number that PostgreSQL and its clients call the port. It has this name also where it is only a part
    /// of a socket's name.
    pub fn number(&self) -> u16 {
        match self {
            Self::Socket(_) => SOCKET_NUMBER,
            Self::Port(port) => *port,
        }
    }

    /// The URL of a database, for this role. The URL holds the password: don't show it.
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        let number = self.number();
        match self {
            Self::Socket(folder) => {
                let login = format!("postgres://{role}:{password}@localhost:{number}/{database}");
                let folder = folder.to_str().expect("checked when the socket was chosen");
                let parameters = [("host", folder), ("sslmode", "disable")];
                Url::parse_with_params(&login, parameters).expect("our names need no quoting").into()
            }
            Self::Port(_) => {
                format!("postgres://{role}:{password}@127.0.0.1:{number}/{database}?sslmode=disable")
            }
        }
    }
}

/// The name that PostgreSQL itself gives the socket.
pub fn socket_in(folder: &Path) -> PathBuf {
    folder.join(socket_name())
}

pub(super) fn socket_name() -> String {
    format!(".s.PGSQL.{SOCKET_NUMBER}")
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use sea_orm::sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn the_driver_finds_the_socket_whatever_the_folder_is_called() {
        for folder in ["/a/b", "/a b/c@d#e?f/50%25/é"] {
            let address = Address::in_folder(Path::new(folder)).unwrap();

            let options = PgConnectOptions::from_str(&address.url("shop", "secret", "flash_sale")).unwrap();

            assert_eq!(options.get_socket().map(PathBuf::as_path), Some(Path::new(folder)));
            assert_eq!((options.get_port(), options.get_database()), (SOCKET_NUMBER, Some("flash_sale")));
        }
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_has_none() {
        let longest = format!("/{}", "f".repeat(LONGEST_PATH - 1 - "/.s.PGSQL.5432".len()));

        assert!(Address::in_folder(Path::new(&longest)).is_some());
        assert_eq!(Address::in_folder(Path::new(&format!("{longest}f"))), None);
    }
}
