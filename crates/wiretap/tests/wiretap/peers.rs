//! A client and a server that only move bytes, with a wire between them.

use flash_sale_wiretap::{Entrance, Wiretap};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// SSLRequest.
pub const ASKS_FOR_TLS: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

/// A wire to a server that says whatever the test wants.
pub struct BareWire {
    pub wiretap: Wiretap,
    pub listener: TcpListener,
    port: u16,
}

impl BareWire {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let url = format!("postgres://shop@{server}/shop");
        let wiretap = Wiretap::listen(&url, &["replica-1".to_owned()], Entrance::Ports).unwrap();
        let through = wiretap.url_of("replica-1").unwrap();
        let port = through.split([':', '/']).find_map(|part| part.parse().ok()).unwrap();
        Self { wiretap, listener, port }
    }

    /// Both ends of a connection: the client's and the server's.
    pub async fn connection(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (server, _) = self.listener.accept().await.unwrap();
        server.set_nodelay(true).unwrap();
        (client, server)
    }
}

/// Sends these bytes, and looks whether they arrive as they are.
#[track_caller]
pub fn pass<'a>(
    from: &'a mut TcpStream,
    to: &'a mut TcpStream,
    bytes: &'a [u8],
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let mut arrived = vec![0; bytes.len()];
        let (sent, received) = tokio::join!(from.write_all(bytes), to.read_exact(&mut arrived));
        sent.and(received.map(drop)).unwrap_or_else(|error| panic!("{caller}: {error}"));
        assert!(arrived == bytes, "{caller}: other bytes arrived");
    }
}

/// A message of PostgreSQL's protocol.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

/// The first message of a session.
pub fn startup() -> Vec<u8> {
    [9_u32.to_be_bytes().as_slice(), &196_608_u32.to_be_bytes(), b"\0"].concat()
}
