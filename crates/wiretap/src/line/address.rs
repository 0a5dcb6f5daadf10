//! Finds where a URL of PostgreSQL leads, in the same way as the replicas' driver, and puts a line's
//! address in its place.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, ensure};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// The parameters of a URL that say where and how to connect. A line's address replaces them.
const OF_THE_CONNECTION: [&str; 5] = ["host", "hostaddr", "port", "sslmode", "ssl-mode"];

/// Where a line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// A host, and a port of this host.
    Port(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Where a line listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineAddress {
    /// On a port.
    Port(SocketAddr),
    /// On a Unix socket in this folder, whose name has this number.
    Socket {
        /// The folder.
        folder: PathBuf,
        /// The number.
        number: u16,
    },
}

/// Finds where PostgreSQL listens.
///
/// # Errors
/// When no line can lead there. The error says why.
pub fn address_of(url: &str) -> anyhow::Result<DatabaseAddress> {
    let options = PgConnectOptions::from_str(url).context("the database's URL can't be read")?;
    let host = options.get_host();
    let folder = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| host.into()));
    if let Some(folder) = folder {
        return Ok(DatabaseAddress::Socket(folder.join(format!(".s.PGSQL.{}", options.get_port()))));
    }
    let is_plain =
        matches!(options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
    ensure!(
        is_plain,
        "a line carries nothing that is encrypted, and the database's URL asks for it (sslmode)"
    );
    Ok(DatabaseAddress::Port(host.trim_matches(['[', ']']).to_owned(), options.get_port()))
}

/// Returns the same URL, but it leads to `line`, and the connection is never encrypted: a line reads what passes it.
///
/// # Errors
/// When the text is no URL with a host.
pub fn lead_through(url: &str, line: &LineAddress) -> anyhow::Result<String> {
    let (host, number) = match line {
        LineAddress::Port(address) => (address.ip().to_string(), address.port()),
        LineAddress::Socket { number, .. } => ("localhost".to_owned(), *number),
    };
    let mut through = Url::parse(url).context("the database's URL can't be read")?;
    through.set_host(Some(&host)).context("the database's URL names no host")?;
    through.set_port(Some(number)).ok().context("the database's URL names no host")?;
    let others: Vec<(String, String)> = through
        .query_pairs()
        .filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut parameters = through.query_pairs_mut();
    parameters.clear().extend_pairs(others);
    if let LineAddress::Socket { folder, .. } = line {
        let folder = folder.to_str().context("the path of the line's folder is not UTF-8")?;
        parameters.append_pair("host", folder);
    }
    parameters.append_pair("sslmode", "disable");
    drop(parameters);
    Ok(through.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_whatever_names_the_address() {
        let line = LineAddress::Port(SocketAddr::from(([127, 0, 0, 1], 7)));
        let lead = |url: &str| (address_of(url).unwrap(), lead_through(url, &line).unwrap());

        let through = "postgres://shop:p%40s@127.0.0.1:7/shop?sslmode=disable".to_owned();
        let port = |host: &str, port| DatabaseAddress::Port(host.to_owned(), port);
        assert_eq!(lead("postgres://shop:p%40s@db/shop"), (port("db", 5432), through.clone()));
        let with_parameters = "postgres://shop:p%40s@db/shop?host=other&port=9&sslmode=prefer";
        assert_eq!(lead(with_parameters), (port("other", 9), through.clone()));
        let socket = DatabaseAddress::Socket("/run/postgresql/.s.PGSQL.9".into());
        assert_eq!(lead("postgres://shop:p%40s@db:9/shop?host=/run/postgresql"), (socket.clone(), through));
        assert_eq!(address_of("postgres://shop@%2Frun%2Fpostgresql:9/shop").unwrap(), socket);
        let (address, through) = lead("postgres://shop@[::1]:9/shop?application_name=a%20shop");
        assert_eq!(address, port("::1", 9));
        assert_eq!(through, "postgres://shop@127.0.0.1:7/shop?application_name=a+shop&sslmode=disable");
    }

    #[test]
    fn a_line_may_listen_on_a_socket() {
        let line = LineAddress::Socket { folder: "/home/a b/wire".into(), number: 2 };

        let through = lead_through("postgres://shop:p%40s@db:9/shop?host=/run", &line).unwrap();

        let socket = DatabaseAddress::Socket("/home/a b/wire/.s.PGSQL.2".into());
        assert_eq!(address_of(&through).unwrap(), socket);
        assert!(through.starts_with("postgres://shop:p%40s@localhost:2/shop?"), "{through}");
    }

    #[test]
    fn what_no_line_can_lead_to_is_said() {
        let reason = |url: &str| address_of(url).unwrap_err().to_string();

        for mode in ["require", "verify-ca", "verify-full"] {
            let reason = reason(&format!("postgres://shop:hunter2@db/shop?sslmode={mode}"));
            assert!(reason.starts_with("a line carries nothing that is encrypted"), "{reason}");
        }
        assert_eq!(reason("postgres://shop:hunter2@:x/"), "the database's URL can't be read");
    }
}
