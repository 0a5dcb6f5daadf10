//! How a command talks to the running lab: a line of JSON over a Unix socket, and lines of JSON back.

pub mod loan;

use std::io;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::database::DatabaseStatus;
use crate::project::CONTROL_SOCKET;
use crate::settings::ShopVariables;
use crate::supervisor::replica::ReplicaStatus;

/// What a lab can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What runs?
    Status,
    /// Answer when the shop is open, or won't be.
    WaitUntilOpen,
    /// Replace each replica by a new process, with these variables changed.
    Restart(ShopVariables),
    /// As Restart, for as long as the connection stays open: then the replicas are replaced again, without
    /// them.
    Lend(ShopVariables),
    /// Stop the lab's own PostgreSQL, and start it again after so many seconds. Done when it accepts connections.
    StopDatabase {
        /// How long it stays stopped; 0: it is started again at once.
        seconds: u32,
        /// How it ends.
        how: DatabaseStop,
    },
    /// Stop everything.
    Stop,
}

/// The ways PostgreSQL can be told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseStop {
    /// As a crash would (SIGQUIT): the next start replays the log.
    Immediate,
    /// In order (SIGINT): all sessions are ended, all is written.
    Fast,
}

/// What it answers: any number of lines, then one of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something was done, in words.
    Line(String),
    /// The shop is open at this URL.
    Open(String),
    /// What runs.
    Status(Status),
    /// What was asked for is done.
    Done,
    /// It failed, for this reason.
    Failed(String),
    /// Another lab runs here.
    Busy,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The lab's own process.
    pub pid: u32,
    /// The shop's URL.
    pub url: String,
    /// Open through the gateway just now.
    pub connections_open: usize,
    /// Accepted by the gateway since the start.
    pub connections_accepted: u64,
    /// The replicas, in their turn.
    pub replicas: Vec<ReplicaStatus>,
    /// The database; `None` while it starts.
    pub database: Option<DatabaseStatus>,
}

/// Asks the running lab, and hands its lines to `hear`. The last event, or `None` when no lab runs, or it was
/// killed before it could answer.
///
/// # Errors
/// When the socket can't be used, or the answer can't be understood.
pub async fn ask(request: &Request, hear: impl FnMut(&str)) -> anyhow::Result<Option<Event>> {
    match send(request).await? {
        Some(stream) => last_event(stream, hear).await,
        None => Ok(None),
    }
}

/// Sends a request, and returns the stream that it will be answered on.
async fn send(request: &Request) -> anyhow::Result<Option<UnixStream>> {
    let mut stream = match UnixStream::connect(CONTROL_SOCKET).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => return Ok(None),
        stream => stream.with_context(|| format!("can't connect to {CONTROL_SOCKET}"))?,
    };
    match write_line(&mut stream, request).await {
        Err(error) if is_gone(&error) => Ok(None),
        written => {
            written.with_context(|| format!("can't write to {CONTROL_SOCKET}"))?;
            Ok(Some(stream))
        }
    }
}

/// A killed lab refuses at once or, in the moment of its end, resets what it hasn't accepted.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | BrokenPipe)
}

/// Reads events up to the last one, or `None` when the other side ended without it.
///
/// # Errors
/// When it says something else than events.
pub async fn last_event(
    stream: impl AsyncRead + Unpin,
    mut hear: impl FnMut(&str),
) -> anyhow::Result<Option<Event>> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await.unwrap_or_default() {
        match serde_json::from_str(&line).with_context(|| format!("unexpected answer: {line}"))? {
            Event::Line(line) => hear(&line),
            last => return Ok(Some(last)),
        }
    }
    Ok(None)
}

/// Writes events as they come, until there are no more or the other side is gone.
pub async fn write_events(mut stream: impl AsyncWrite + Unpin, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        if write_line(&mut stream, &event).await.is_err() {
            return;
        }
    }
}

/// Reads the one request of a connection.
///
/// # Errors
/// When there is none, or it can't be understood.
pub async fn read_request(stream: impl AsyncRead + Unpin) -> anyhow::Result<Request> {
    let line = BufReader::new(stream).lines().next_line().await?.context("no request")?;
    Ok(serde_json::from_str(&line)?)
}

async fn write_line(stream: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}
