//! Connections through a port or through a Unix socket.

use std::fs;
use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use super::address::{DatabaseAddress, LineAddress};

/// A connection.
pub(super) enum Stream {
    Port(TcpStream),
    Socket(UnixStream),
}

/// Takes connections.
pub(super) enum Listener {
    Port(TcpListener),
    Socket(UnixListener),
}

impl Stream {
    pub(super) async fn connect(database: &DatabaseAddress) -> io::Result<Self> {
        Ok(match database {
            DatabaseAddress::Port(host, port) => {
                Self::without_delay(TcpStream::connect((host.as_str(), *port)).await?)?
            }
            DatabaseAddress::Socket(path) => Self::Socket(UnixStream::connect(path).await?),
        })
    }

    pub(super) fn split(
        &mut self,
    ) -> (impl AsyncRead + Unpin + Send + '_, impl AsyncWrite + Unpin + Send + '_) {
        match self {
            Self::Port(stream) => {
                let (read, write) = stream.split();
                (Either::Left(read), Either::Left(write))
            }
            Self::Socket(stream) => {
                let (read, write) = stream.split();
                (Either::Right(read), Either::Right(write))
            }
        }
    }

    /// From now on, the end of this value resets the connection. A Unix socket knows no reset.
    pub(super) fn will_reset(&self) {
        if let Self::Port(stream) = self {
            let _ = stream.set_zero_linger();
        }
    }

    fn without_delay(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Port(stream))
    }
}

impl Listener {
    /// Listens on this port. With the port 0, it may be any free one.
    pub(super) fn on_port(address: SocketAddr) -> io::Result<(Self, LineAddress)> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = LineAddress::Port(listener.local_addr()?);
        Ok((Self::Port(TcpListener::from_std(listener)?), address))
    }

    /// Listens on a socket in this folder. Its name has this number, as those of PostgreSQL have.
    pub(super) fn in_folder(folder: &Path, number: u16) -> io::Result<(Self, LineAddress)> {
        let address = LineAddress::Socket { folder: folder.canonicalize()?, number };
        let path = folder.join(format!(".s.PGSQL.{number}"));
        // A process that was killed has left it behind.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok((Self::Socket(listener), address))
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Port(listener) => Stream::without_delay(listener.accept().await?.0),
            Self::Socket(listener) => Ok(Stream::Socket(listener.accept().await?.0)),
        }
    }
}
