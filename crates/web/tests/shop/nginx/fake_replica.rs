//! A replica that does what a test needs: refuses, answers, or reads the request and hangs up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub struct FakeReplica {
    pub port: u16,
    /// Bound and not listening, its port refuses connections, and nobody else can take it meanwhile.
    socket: Option<TcpSocket>,
    requests: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl FakeReplica {
    pub fn refusing() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { port, socket: Some(socket), requests: Arc::default(), tasks: JoinSet::new() }
    }

    /// From now on answers 200.
    pub fn answer(&mut self) {
        self.serve(ANSWER);
    }

    /// From now on reads each request and closes the connection.
    pub fn hang_up(&mut self) {
        self.serve(b"");
    }

    /// How many requests have reached it.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn serve(&mut self, answer: &'static [u8]) {
        let listener = self.socket.take().unwrap().listen(16).unwrap();
        let requests = Arc::clone(&self.requests);
        self.tasks.spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if connection.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                requests.fetch_add(1, Ordering::SeqCst);
                connection.write_all(answer).await.unwrap();
            }
        });
    }
}
