//! A stand-in for a connection pooler, which may stand between the shop and PostgreSQL. It hands sessions on, or
//! refuses them in its own words.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What a client asks before its startup message: whether it may speak TLS (PostgreSQL manual, "Message Formats").
const TLS_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
/// A session begins with no longer message.
const LONGEST_STARTUP: usize = 10_000;

/// It listens until the test ends.
pub struct Pooler {
    /// The database's URL, which leads through the pooler.
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The answer to sessions that ask for startup options. `None` when they are handed on.
    refusal: Mutex<Option<Vec<u8>>>,
    refused: AtomicUsize,
    drops_options: AtomicBool,
}

impl Pooler {
    /// Starts a pooler in front of the database of `url`. It hands on all sessions.
    ///
    /// # Panics
    /// When the URL doesn't hold an IP address and a port.
    pub async fn before(url: &str) -> Self {
        let (user, rest) = url.split_once('@').expect("a URL with a user");
        let (address, database) = rest.split_once('/').expect("a URL with a database");
        let address: SocketAddr = address.parse().expect("a URL with an IP address and a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own_address = listener.local_addr().expect("it listens");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, address, Arc::clone(&shared)));
            }
        });
        Self { url: format!("{user}@{own_address}/{database}"), state }
    }

    /// From now on, refuses the sessions that ask for startup options. The shop's sessions do, and those of the
    /// migration don't. Sessions that are open stay.
    pub fn refuse_options(&self, sqlstate: &str, message: &str) {
        self.set_refusal(Some(error_response(sqlstate, message)));
    }

    /// From now on, hands on sessions without their startup options, and doesn't say so.
    pub fn drop_options(&self) {
        self.state.drops_options.store(true, Ordering::SeqCst);
    }

    /// From now on, hands on all sessions again.
    pub fn hand_on(&self) {
        self.set_refusal(None);
    }

    /// How many sessions the pooler has refused.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    fn set_refusal(&self, refusal: Option<Vec<u8>>) {
        *self.state.refusal.lock() = refusal;
    }
}

async fn serve(mut client: TcpStream, address: SocketAddr, state: Arc<State>) -> io::Result<()> {
    let mut startup = read_startup(&mut client).await?;
    while startup[4..].starts_with(&TLS_REQUEST) {
        client.write_all(b"N").await?;
        startup = read_startup(&mut client).await?;
    }
    let asks_for_options = startup.windows(9).any(|part| part == b"\0options\0");
    let refusal = state.refusal.lock().clone();
    if let Some(answer) = refusal.filter(|_| asks_for_options) {
        state.refused.fetch_add(1, Ordering::SeqCst);
        client.write_all(&answer).await?;
        return client.shutdown().await;
    }
    if asks_for_options && state.drops_options.load(Ordering::SeqCst) {
        startup = without_options(&startup);
    }
    let mut postgres = TcpStream::connect(address).await?;
    postgres.write_all(&startup).await?;
    copy_bidirectional(&mut client, &mut postgres).await?;
    Ok(())
}

/// Reads the first message of a session, with its length.
async fn read_startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    client.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]) as usize;
    if !(8..=LONGEST_STARTUP).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.resize(length, 0);
    client.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// The same message without its options. Its parameters are names and values in turn, each with a zero byte behind it.
fn without_options(startup: &[u8]) -> Vec<u8> {
    let parameters: Vec<&[u8]> = startup[8..].split_inclusive(|byte| *byte == 0).collect();
    let kept = parameters.chunks(2).filter(|parameter| parameter[0] != b"options\0");
    let body = [&startup[4..8], &kept.flatten().copied().collect::<Vec<_>>().concat()].concat();
    [&(4 + body.len() as u32).to_be_bytes(), body.as_slice()].concat()
}

/// The message that ends a session before it begins.
fn error_response(sqlstate: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
    let length = (4 + fields.len()) as u32;
    [b"E".as_slice(), &length.to_be_bytes(), fields.as_bytes()].concat()
}
