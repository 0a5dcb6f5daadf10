//! A way to the database on which the answer to what commits is lost: the statement arrives and is carried
//! out, then the connection breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Hands bytes on to PostgreSQL and back, until it is armed.
pub struct AnswerThief {
    /// The database's URL, through here.
    pub url: String,
    armed: Arc<AtomicBool>,
}

impl AnswerThief {
    /// In front of the database of `url`. What holds `commits` is what it waits for: `COMMIT`, or a part of a
    /// statement that is a transaction by itself.
    pub async fn before(url: &str, commits: &'static str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (address, database) = rest.split_once('/').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let armed = Arc::new(AtomicBool::new(false));
        let arm = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((replica, _)) = listener.accept().await {
                tokio::spawn(hand_on(replica, address, commits, Arc::clone(&arm)));
            }
        });
        Self { url, armed }
    }

    /// The next answer to what commits is lost.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

async fn hand_on(mut replica: TcpStream, address: SocketAddr, commits: &str, armed: Arc<AtomicBool>) {
    let Ok(mut postgres) = TcpStream::connect(address).await else { return };
    let (mut request, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = replica.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &request[..length];
                let is_commit = bytes.windows(commits.len()).any(|part| part == commits.as_bytes());
                if postgres.write_all(bytes).await.is_err() {
                    return;
                }
                if is_commit && armed.swap(false, Ordering::SeqCst) {
                    // It is answered, so it was carried out.
                    let _ = postgres.read(&mut answer).await;
                    return;
                }
            }
            read = postgres.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if replica.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
