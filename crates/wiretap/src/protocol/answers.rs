//! Reads what PostgreSQL answers.

use bytes::{Buf, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};

use super::framing::{Frame, Framing, Tagged, Unreadable};

/// The tags of all messages that PostgreSQL may send.
const TAGS: &[u8] = b"123ACDEGHIKNRSTVWZcdnstv";

/// A message of PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The one byte that answers the question for encryption.
    Byte(u8),
    /// The process id of the session's server process.
    BackendPid(i32),
    /// A statement is prepared.
    Prepared,
    /// The types of a statement's parameters.
    ParameterTypes(Vec<u32>),
    /// The columns of a statement. These bytes are the body of the message.
    Columns(&'a [u8]),
    /// The statement has no columns.
    NoColumns,
    /// A row. These bytes are the body of the message.
    Row(&'a [u8]),
    /// A statement was carried out: what PostgreSQL says it did.
    Complete(&'a str),
    /// The rows that were asked for are sent, and there are more; or the statement was empty.
    Suspended,
    /// The statement, or the session, failed.
    Failed(Failure),
    /// PostgreSQL waits for the rows of a COPY.
    WantsCopy,
    /// Everything up to the Sync is done. The letter says whether a transaction is open.
    Ready(u8),
    /// A message that matters to nobody here.
    Other,
}

/// An error as PostgreSQL says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// Whether the session ends with it.
    pub ends_session: bool,
}

/// The messages of one connection's server process.
#[derive(Default)]
pub struct Answers {
    framing: Framing,
}

impl Answers {
    /// Returns the next message that `bytes` complete, and moves `at` to where it ends. `is_byte`: PostgreSQL owes one
    /// byte, because the client has asked for encryption.
    ///
    /// # Errors
    /// When the bytes are no message.
    pub fn next<'a>(
        &'a mut self,
        bytes: &'a [u8],
        at: &mut usize,
        is_byte: bool,
    ) -> Result<Option<Answer<'a>>, Unreadable> {
        if is_byte && self.framing.is_between_messages() {
            let byte = bytes.get(*at).copied();
            *at += usize::from(byte.is_some());
            return Ok(byte.map(Answer::Byte));
        }
        let frame = self.framing.next(bytes, at, Tagged::With(TAGS))?;
        Ok(frame.map(|frame| read(&frame)))
    }
}

fn read<'a>(frame: &Frame<'a>) -> Answer<'a> {
    let mut body = frame.body;
    match frame.tag {
        // Not by the library: the key behind the process id is longer since PostgreSQL 18.
        b'K' => body.try_get_i32().map_or(Answer::Other, Answer::BackendPid),
        b'1' => Answer::Prepared,
        b't' => {
            let count = body.try_get_u16().unwrap_or(0);
            Answer::ParameterTypes((0..count).map_while(|_| body.try_get_u32().ok()).collect())
        }
        b'T' => Answer::Columns(body),
        b'n' => Answer::NoColumns,
        b'D' => Answer::Row(body),
        b'C' => Answer::Complete(
            body.strip_suffix(b"\0").and_then(|tag| str::from_utf8(tag).ok()).unwrap_or_default(),
        ),
        b's' | b'I' => Answer::Suspended,
        b'E' => Answer::Failed(failure(body)),
        b'G' | b'W' => Answer::WantsCopy,
        b'Z' => body.first().map_or(Answer::Other, |status| Answer::Ready(*status)),
        _ => Answer::Other,
    }
}

fn failure(body: &[u8]) -> Failure {
    match with_library(b'E', body) {
        Some(Message::ErrorResponse(error)) => read_failure(&error),
        _ => Failure::default(),
    }
}

fn read_failure(error: &ErrorResponseBody) -> Failure {
    let (mut failure, mut fields) = (Failure::default(), error.fields());
    while let Ok(Some(field)) = fields.next() {
        let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            // The severity that is never translated.
            b'V' => failure.ends_session = matches!(field.value_bytes(), b"FATAL" | b"PANIC"),
            b'C' => failure.sqlstate = value(),
            b'M' => failure.message = value(),
            _ => {}
        }
    }
    failure
}

/// Has the library read a message's body. `None`: it can't.
pub fn with_library(tag: u8, body: &[u8]) -> Option<Message> {
    let length = u32::try_from(body.len() + size_of::<u32>()).ok()?;
    let mut message = BytesMut::with_capacity(body.len() + 5);
    message.extend_from_slice(&[tag]);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    Message::parse(&mut message).ok().flatten()
}
