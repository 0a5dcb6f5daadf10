//! How a command talks to the running lab: it sends a line of JSON over a Unix socket, and gets lines of JSON back.

pub mod commit_loss;
pub mod loan;
pub mod messages;

use std::time::Duration;
use std::{fmt, io};

use anyhow::{Context, bail, ensure};
use flash_sale_testbed::shop_settings::unknown_variable;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::project::{CONTROL_SOCKET, LAB_LOG};
use messages::{Event, Request, Status, Wanted};

/// How long a connection may take to send its request. A command sends it at once.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// Far more than any request has, in bytes.
const LONGEST_REQUEST: u64 = 64 * 1024;
/// How long a command may take to read an answer. For a command that was frozen (Ctrl-Z), there is still room for
/// thousands of lines.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The message of a command that needs a running shop, when none runs.
pub const NOT_RUNNING: &str = "the shop is not running. Start it: make run";

/// The running lab's status.
///
/// # Errors
/// When no lab runs, or its answer can't be understood.
pub async fn running() -> anyhow::Result<Status> {
    match ask(&Request::Status, |_| {}).await?.context(NOT_RUNNING)? {
        Event::Status(status) => Ok(status),
        other => bail!(not_understood(&other)),
    }
}

/// Asks the running lab, and hands its lines to `hear`. Returns the last event, or `None` when no lab runs, or when it
/// was killed before it could answer.
///
/// # Errors
/// When the socket can't be used, or the answer can't be understood. Also when the lab breaks off its answer and goes
/// on: this happens when the task that it was asked for panics.
pub async fn ask(request: &Request, hear: impl FnMut(&str)) -> anyhow::Result<Option<Event>> {
    let Some(stream) = send(request).await? else { return Ok(None) };
    let last = last_event(stream, hear).await?;
    if last.is_none() && answers().await {
        bail!(
            "`lab serve`, which runs the shop, still runs, but its answer broke off. It has a bug, or is older than \
             this command. Look at {LAB_LOG}. To start it anew: make stop run"
        );
    }
    Ok(last)
}

/// Whether a lab runs that answers a request for its status.
async fn answers() -> bool {
    match send(&Request::Status).await {
        Ok(Some(stream)) => !matches!(last_event(stream, |_| {}).await, Ok(None)),
        _ => false,
    }
}

/// Sends a request, and returns the stream on which the answer will come.
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

/// Whether the lab is gone. A killed lab's socket refuses connections at once; in the moment of the lab's end, it
/// resets those that the lab hasn't accepted yet.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | BrokenPipe)
}

/// Borrows something of the running lab. Returns when it is lent. It is lent as long as the stream is open.
async fn borrow(request: &Request) -> anyhow::Result<UnixStream> {
    let mut stream = send(request).await?.context(NOT_RUNNING)?;
    let silent = "the shop was stopped, or was started by an older version. Start it anew: make stop run";
    match last_event(&mut stream, |_| {}).await?.context(silent)? {
        Event::Done => Ok(stream),
        Event::Failed(reason) => bail!(reason),
        other => bail!(not_understood(&other)),
    }
}

/// Reads events up to the last one, and returns it; `None` when the other side ended without a last one.
///
/// # Errors
/// When the other side says something else than events.
pub async fn last_event(
    stream: impl AsyncRead + Unpin,
    mut hear: impl FnMut(&str),
) -> anyhow::Result<Option<Event>> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await.unwrap_or_default() {
        match serde_json::from_str(&line).with_context(|| not_understood(&line))? {
            Event::Line(line) => hear(&line),
            last => return Ok(Some(last)),
        }
    }
    Ok(None)
}

/// After an update, the running shop may still be one that the version before has started.
pub fn not_understood(answer: &(impl fmt::Debug + ?Sized)) -> String {
    format!(
        "the running shop gives an answer that this version doesn't know. Start it anew: make stop run ({answer:?})"
    )
}

/// Writes events as they come. Ends when there are no more, or when the other side is gone or doesn't read.
pub async fn write_events(mut stream: impl AsyncWrite + Unpin, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        if !matches!(timeout(WRITE_LIMIT, write_line(&mut stream, &event)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads the one request of a connection.
///
/// # Errors
/// When no request comes in time, or it is too long, can't be understood, or asks for something that nobody may ask
/// for. The error has words for the person who has asked.
pub async fn read_request(stream: impl AsyncRead + Unpin) -> anyhow::Result<Request> {
    let mut reader = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut line = String::new();
    match timeout(REQUEST_LIMIT, reader.read_line(&mut line)).await {
        Err(_) => bail!("no request came within {} s", REQUEST_LIMIT.as_secs()),
        Ok(read) => read.context("the request can't be read")?,
    };
    ensure!(line.ends_with('\n'), "a request is a line of at most {LONGEST_REQUEST} bytes");
    let request = serde_json::from_str(&line).context(
        "the running shop doesn't know this request: it was started by another version. Start it anew: make stop run",
    )?;
    match refused_variable(&request) {
        Some(name) => {
            bail!("{name} is not one of the shop's variables, so it is not passed on. See .env.example")
        }
        None => Ok(request),
    }
}

fn refused_variable(request: &Request) -> Option<&str> {
    match request {
        Request::Run(Wanted { variables, .. }) | Request::Lend(variables) => unknown_variable(variables),
        _ => None,
    }
}

async fn write_line(stream: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shop_of_another_version_is_said_to_be_one() {
        let answer = last_event(&b"{\"somehow\":1}\n"[..], |_| {}).await;

        let error = format!("{:#}", answer.unwrap_err());
        assert!(
            error.starts_with("the running shop gives an answer that this version doesn't know."),
            "{error}"
        );
        assert!(error.contains("make stop run"), "{error}");
    }
}
