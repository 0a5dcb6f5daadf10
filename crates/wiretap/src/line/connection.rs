//! One connection through the line. `hearing` reads what PostgreSQL answers.

mod hearing;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::direction::{Direction, Gone};
use super::heard::Hearing;
use super::hold::{At, Decision, Gate};
use super::loss::IDLE;
use super::owed::{InFlightCount, Owed};
use super::piece::Piece;
use super::shared::Shared;
use super::turnstile::{LetGo, Passage, Ticket};
use crate::protocol::framing::Unreadable;
use crate::protocol::requests::{Request, Requests};
use crate::protocol::sql::Prepared;
use crate::recorder::RunningTape;

const BUFFER: usize = 16 * 1024;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// One connection through the line.
pub struct Connection {
    id: u64,
    shared: Arc<Shared>,
    tape: Option<RunningTape>,
    /// The exchanges that PostgreSQL owes an answer to, in the order of its answers.
    owed: Mutex<VecDeque<Owed>>,
    /// A statement that was let pass at the turnstile when it was prepared.
    let_go: Mutex<Option<LetGo>>,
    /// What passes is not PostgreSQL's protocol, or it is encrypted.
    is_unreadable: AtomicBool,
    cut: CancellationToken,
    silenced: CancellationToken,
}

impl Connection {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            tape: shared.run_tape(),
            shared,
            owed: Mutex::default(),
            let_go: Mutex::default(),
            is_unreadable: AtomicBool::new(false),
            cut: CancellationToken::new(),
            silenced: CancellationToken::new(),
        }
    }

    /// Hands bytes on in both directions until both have ended, or until the connection is cut or broken. Returns
    /// whether it was broken by a reset.
    pub async fn carry(
        self,
        (from_client, to_client): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        (from_server, to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    ) -> bool {
        let (to_server, requests) = Direction::to(to_server);
        let (to_client, answers) = Direction::to(to_client);
        let broken = CancellationToken::new();
        let hand_on_requests = async {
            // Nothing can reach a client that has reset its connection, and PostgreSQL is told at once.
            if self.hand_on_requests(from_client, &to_server).await.is_err() {
                broken.cancel();
                std::future::pending::<()>().await;
            }
            to_server.end().await;
        };
        let hand_on_answers = async {
            self.hand_on_answers(from_server, &to_client).await;
            to_client.end().await;
        };
        let both = async {
            tokio::join!(
                hand_on_requests,
                to_server.deliver(requests),
                hand_on_answers,
                to_client.deliver(answers)
            )
        };
        tokio::select! {
            _ = both => {}
            () = broken.cancelled() => {}
            () = self.cut.cancelled() => {}
            // Both ends stay open, and neither is told anything, until the line itself ends.
            () = self.silenced.cancelled() => std::future::pending().await,
        }
        broken.is_cancelled()
    }

    /// Returns an error when the client has reset the connection.
    async fn hand_on_requests(
        &self,
        mut client: impl AsyncRead + Unpin,
        to: &Direction<impl AsyncWrite + Unpin>,
    ) -> io::Result<()> {
        let (mut requests, mut piece, mut buffer) = (Requests::default(), Piece::default(), vec![0; BUFFER]);
        loop {
            let bytes = match client.read(&mut buffer).await? {
                0 => return Ok(()),
                length => &buffer[..length],
            };
            if self.hand_on_requests_in(bytes, &mut requests, &mut piece, to).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn hand_on_requests_in(
        &self,
        bytes: &[u8],
        requests: &mut Requests,
        piece: &mut Piece,
        to: &Direction<impl AsyncWrite + Unpin>,
    ) -> Result<(), Gone> {
        let (mut at, mut from) = (0, 0);
        while !self.is_unreadable() {
            match requests.next(bytes, &mut at) {
                Ok(Some(request)) => {
                    let is_followed = request.is_followed();
                    piece.add(request, &bytes[from..at]);
                    from = at;
                    if !is_followed {
                        self.hand_on_exchange(std::mem::take(piece), to).await?;
                    }
                }
                Ok(None) => break,
                Err(Unreadable) => self.give_up("it is not PostgreSQL's protocol"),
            }
        }
        piece.bytes.extend_from_slice(&bytes[from..]);
        if self.is_unreadable() {
            return self.send(&std::mem::take(&mut piece.bytes), to).await;
        }
        match piece.take_part(self.shared.holds_statements()) {
            Some(part) => self.hand_on(part, to).await,
            None => Ok(()),
        }
    }

    async fn hand_on_exchange(
        &self,
        piece: Piece,
        to: &Direction<impl AsyncWrite + Unpin>,
    ) -> Result<(), Gone> {
        let in_flight = InFlightCount::new(&self.shared);
        let (mut gate, mut inserts_orders, mut ticket) = (None, false, None);
        if let Some(prepared) = &piece.statement {
            match self.shared.holds.meet(self.id, &prepared.text) {
                Some((At::Request, gate)) => self.pass_or_end(gate, prepared.text.clone()).await?,
                Some((At::Answer, of_answer)) => gate = Some((of_answer, prepared.text.clone())),
                None => {}
            }
            inserts_orders = self.shared.losses.are_wanted() && prepared.inserts_orders();
        }
        let only_prepares = piece.only_prepares();
        if let Some(prepared) = piece.statement.as_ref().or(only_prepares) {
            ticket = self.wait_at_turnstile(prepared, only_prepares.is_some()).await;
            if ticket == Some(Ticket::Cut) {
                self.cut.cancel();
                return Err(Gone);
            }
        }
        let only_prepares = only_prepares.is_some();
        if let Some(last) = piece.requests.last().filter(|last| last.ends_exchange()) {
            let is_byte = matches!(last, Request::AsksForEncryption);
            let owed = Owed { is_byte, gate, inserts_orders, ticket, only_prepares, _in_flight: in_flight };
            self.owed.lock().push_back(owed);
        }
        self.hand_on(piece, to).await
    }

    /// Waits until this statement may pass. One that was let pass when it was prepared has waited.
    async fn wait_at_turnstile(&self, prepared: &Prepared, only_prepares: bool) -> Option<Ticket> {
        let let_go = self.let_go.lock().take();
        match let_go {
            Some(let_go) if !only_prepares && let_go.text == prepared.text => return Some(let_go.ticket),
            // The client has changed its mind: nothing more comes of that statement.
            Some(let_go) => self.tell_answered(let_go.status.unwrap_or(IDLE), None),
            None => {}
        }
        let backend_pid = self.tape.as_ref().map_or(0, |running| running.tape.lock().backend_pid());
        let ticket = self.shared.turnstile.wait(self.id, backend_pid, prepared, only_prepares).await;
        let ticket = ticket.filter(|ticket| *ticket != Ticket::Prepare);
        if only_prepares {
            let let_go = |ticket| LetGo { text: prepared.text.clone(), ticket, status: None };
            *self.let_go.lock() = ticket.map(let_go);
        }
        ticket
    }

    async fn hand_on(&self, piece: Piece, to: &Direction<impl AsyncWrite + Unpin>) -> Result<(), Gone> {
        if let Some(running) = &self.tape {
            let (mut tape, now) = (running.tape.lock(), std::time::Instant::now());
            piece.requests.into_iter().for_each(|request| tape.note_request(request, now));
        }
        self.send(&piece.bytes, to).await
    }

    async fn hand_on_answers(
        &self,
        mut server: impl AsyncRead + Unpin,
        to: &Direction<impl AsyncWrite + Unpin>,
    ) {
        let (mut hearing, mut buffer) = (Hearing::default(), vec![0; BUFFER]);
        let mut is_client_there = true;
        while let Ok(length @ 1..) = server.read(&mut buffer).await {
            let bytes = &buffer[..length];
            let heard = self.read_answers(&mut hearing, bytes);
            for (gate, statement) in heard.gates {
                if self.pass_or_end(gate, statement).await.is_err() {
                    return;
                }
            }
            if heard.are_lost {
                return self.cut.cancel();
            }
            // PostgreSQL still answers what a client has sent before it left, and that is noted.
            is_client_there = is_client_there && self.send(bytes, to).await.is_ok();
        }
    }

    fn is_unreadable(&self) -> bool {
        self.is_unreadable.load(Ordering::Relaxed)
    }

    /// From now on, both directions only hand on what comes.
    fn give_up(&self, reason: &str) {
        self.is_unreadable.store(true, Ordering::Relaxed);
        self.owed.lock().clear();
        if let Some(running) = &self.tape {
            running.tape.lock().close(std::time::Instant::now());
        }
        self.shared.say_unreadable(reason);
    }

    async fn send(&self, bytes: &[u8], to: &Direction<impl AsyncWrite + Unpin>) -> Result<(), Gone> {
        to.send(bytes, self.shared.delay()).await
    }

    async fn pass_or_end(&self, gate: Gate, statement: String) -> Result<(), Gone> {
        match gate.wait(statement).await {
            Decision::Cut => {
                self.cut.cancel();
                Err(Gone)
            }
            Decision::Silence => {
                self.silenced.cancel();
                Err(Gone)
            }
            Decision::None | Decision::Pass => Ok(()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.turnstile.tell(Passage::Ended(self.id));
    }
}
