//! One connection through the line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::framing::{Answer, Answers, Exchange, Requests};
use super::hold::{At, Gate};
use super::shared::Shared;

/// So many parts at most are under way in one direction. Then the sender waits.
const UNDER_WAY: usize = 256;
const BUFFER: usize = 16 * 1024;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// One connection through the line.
pub struct Connection {
    id: u64,
    shared: Arc<Shared>,
    /// The exchanges that PostgreSQL owes an answer to, in the order of its answers.
    owed: Mutex<VecDeque<Owed>>,
    cut: CancellationToken,
}

struct Owed {
    answer: Answer,
    /// The gate that is to hold this answer, and the statement that the answer belongs to.
    gate: Option<(Gate, String)>,
    _in_flight: InFlight,
}

/// Counts one more exchange that is under way, for as long as this value lives.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The connection has ended.
struct Gone;

/// Bytes, and when they arrive.
type Part = (Instant, Vec<u8>);

impl Connection {
    pub fn new(shared: Arc<Shared>) -> Self {
        let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Self { id, shared, owed: Mutex::default(), cut: CancellationToken::new() }
    }

    /// Hands bytes on in both directions until both have ended, or until the connection is cut.
    pub async fn carry(
        self,
        (from_client, to_client): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        (from_server, to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    ) {
        let (requests, requests_under_way) = mpsc::channel(UNDER_WAY);
        let (answers, answers_under_way) = mpsc::channel(UNDER_WAY);
        let both = async {
            tokio::join!(
                self.hand_on_requests(from_client, requests),
                deliver(requests_under_way, to_server),
                self.hand_on_answers(from_server, answers),
                deliver(answers_under_way, to_client),
            )
        };
        self.cut.run_until_cancelled(both).await;
    }

    async fn hand_on_requests(&self, mut client: impl AsyncRead + Unpin, line: mpsc::Sender<Part>) {
        let (mut requests, mut buffer) = (Requests::default(), vec![0; BUFFER]);
        while let Ok(length @ 1..) = client.read(&mut buffer).await {
            for exchange in requests.read(&buffer[..length]) {
                if self.hand_on_request(exchange, &line).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn hand_on_request(&self, exchange: Exchange, line: &mpsc::Sender<Part>) -> Result<(), Gone> {
        let Exchange { bytes, statement, answer } = exchange;
        let in_flight = InFlight::new(&self.shared);
        let mut gate = None;
        if let Some(statement) = statement {
            match self.shared.holds.meet(self.id, &statement) {
                Some((At::Request, gate)) => self.pass_or_cut(gate, statement).await?,
                Some((At::Answer, of_answer)) => gate = Some((of_answer, statement)),
                None => {}
            }
        }
        if answer != Answer::None {
            self.owed.lock().push_back(Owed { answer, gate, _in_flight: in_flight });
        }
        line.send((Instant::now() + self.shared.delay(), bytes)).await.map_err(|_| Gone)
    }

    async fn hand_on_answers(&self, mut server: impl AsyncRead + Unpin, line: mpsc::Sender<Part>) {
        let (mut answers, mut buffer) = (Answers::default(), vec![0; BUFFER]);
        while let Ok(length @ 1..) = server.read(&mut buffer).await {
            answers.read(&buffer[..length]);
            if self.hand_on_complete(&mut answers, &line).await.is_err() {
                return;
            }
        }
    }

    async fn hand_on_complete(&self, answers: &mut Answers, line: &mpsc::Sender<Part>) -> Result<(), Gone> {
        let mut passing = Vec::new();
        while let Some((message, is_last)) = answers.next_message(self.next_answer()) {
            passing.extend(message);
            if !is_last {
                continue;
            }
            let Some(owed) = self.owed.lock().pop_front() else { continue };
            if let Some((gate, statement)) = owed.gate {
                self.pass_or_cut(gate, statement).await?;
            }
        }
        if passing.is_empty() {
            return Ok(());
        }
        line.send((Instant::now() + self.shared.delay(), passing)).await.map_err(|_| Gone)
    }

    /// The kind of the answer that comes next.
    fn next_answer(&self) -> Answer {
        self.owed.lock().front().map_or(Answer::Ready, |owed| owed.answer)
    }

    async fn pass_or_cut(&self, gate: Gate, statement: String) -> Result<(), Gone> {
        if gate.wait(statement).await {
            return Ok(());
        }
        self.cut.cancel();
        Err(Gone)
    }
}

/// Sends each part when its time has come. At the end, it tells the receiver that there is no more.
async fn deliver(mut under_way: mpsc::Receiver<Part>, mut to: impl AsyncWrite + Unpin) {
    while let Some((arrives, bytes)) = under_way.recv().await {
        sleep_until(arrives).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
