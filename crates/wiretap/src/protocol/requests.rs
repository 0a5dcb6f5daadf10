//! Reads what a client sends.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Buf;

use super::bind::Bound;
use super::framing::{Frame, Framing, Tagged, Unreadable};
use super::sql::Prepared;

/// The codes that stand in the place of a protocol version (PostgreSQL manual, section 55.7). CancelRequest is not
/// answered. SSLRequest and GSSENCRequest are answered with one byte.
const CANCEL: u32 = 80_877_102;
const ASKS_FOR_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];
/// The tags of all messages that a client may send.
const TAGS: &[u8] = b"BCDEFHPQSXcdfp";
/// So many prepared statements, and so many portals, are remembered for each connection. sqlx keeps 100.
const REMEMBERED: usize = 1000;

/// A message of a client.
#[derive(Clone, Debug)]
pub enum Request {
    /// The beginning of a session.
    Start,
    /// SSLRequest or GSSENCRequest: one byte answers it.
    AsksForEncryption,
    /// Has a statement prepared.
    Prepare(Arc<Prepared>),
    /// Has the parameters and columns of a prepared statement described.
    DescribeStatement(Arc<Prepared>),
    /// Has the columns of a statement described whose parameters are bound.
    DescribePortal(Arc<Prepared>),
    /// Has a statement carried out. After a simple Query, there are no bound values, and PostgreSQL answers without
    /// being asked to.
    Execute(Arc<Prepared>, Option<Arc<Bound>>),
    /// Ends a series of messages: PostgreSQL says when it has carried out all of them.
    Sync,
    /// Calls a function by its number, as no library does any more. PostgreSQL answers as to [`Request::Sync`].
    Call,
    /// The client has sent all rows of a COPY, or gives it up.
    CopyEnds,
    /// Binds values to parameters, or forgets a statement. It is read when a later message executes the statement.
    Bind,
    /// A message that matters to nobody here: a password, a row of COPY, the end, a CancelRequest.
    Other,
}

impl Request {
    /// Whether the client sends more before it waits for an answer.
    pub fn is_followed(&self) -> bool {
        match self {
            Self::Prepare(_) | Self::DescribeStatement(_) | Self::DescribePortal(_) | Self::Bind => true,
            Self::Execute(prepared, _) => !prepared.is_simple,
            _ => false,
        }
    }

    /// Whether PostgreSQL says when it has carried this out, and everything before it.
    pub fn ends_exchange(&self) -> bool {
        match self {
            Self::Start | Self::AsksForEncryption | Self::Sync | Self::Call => true,
            Self::Execute(prepared, _) => prepared.is_simple,
            _ => false,
        }
    }
}

/// The messages of one client.
#[derive(Default)]
pub struct Requests {
    framing: Framing,
    has_started: bool,
    statements: HashMap<Vec<u8>, Arc<Prepared>>,
    portals: HashMap<Vec<u8>, (Arc<Prepared>, Arc<Bound>)>,
}

impl Requests {
    /// Returns the next message that `bytes` complete, and moves `at` to where it ends.
    ///
    /// # Errors
    /// When the bytes are no message.
    pub fn next(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Request>, Unreadable> {
        let tagged = if self.has_started { Tagged::With(TAGS) } else { Tagged::No };
        // Taken out for the time of this call: the message borrows it.
        let mut framing = std::mem::take(&mut self.framing);
        let read = framing.next(bytes, at, tagged);
        let request = read.map(|frame| frame.map(|frame| self.take_in(&frame)));
        self.framing = framing;
        request
    }

    fn take_in(&mut self, frame: &Frame<'_>) -> Request {
        let mut body = frame.body;
        match frame.tag {
            0 => self.start(body),
            b'Q' => Request::Execute(Arc::new(Prepared::new(take_string(&mut body), Vec::new(), true)), None),
            b'P' => self.prepare(body),
            b'B' => self.bind(body),
            b'D' => self.describe(body),
            b'E' => match self.portals.get(take_string(&mut body)) {
                Some((prepared, bound)) => Request::Execute(Arc::clone(prepared), Some(Arc::clone(bound))),
                None => Request::Execute(Arc::new(Prepared::unknown()), None),
            },
            b'C' => self.close(body),
            b'S' => Request::Sync,
            b'F' => Request::Call,
            b'c' | b'f' => Request::CopyEnds,
            _ => Request::Other,
        }
    }

    fn start(&mut self, mut body: &[u8]) -> Request {
        match body.try_get_u32() {
            Ok(code) if ASKS_FOR_ENCRYPTION.contains(&code) => Request::AsksForEncryption,
            Ok(CANCEL) => Request::Other,
            _ => {
                self.has_started = true;
                Request::Start
            }
        }
    }

    fn prepare(&mut self, mut body: &[u8]) -> Request {
        let (name, sql) = (take_string(&mut body), take_string(&mut body));
        let declared = (0..body.try_get_u16().unwrap_or(0)).map_while(|_| body.try_get_u32().ok()).collect();
        let prepared = Arc::new(Prepared::new(sql, declared, false));
        remember(&mut self.statements, name, Arc::clone(&prepared));
        Request::Prepare(prepared)
    }

    fn bind(&mut self, mut body: &[u8]) -> Request {
        let (portal, name) = (take_string(&mut body), take_string(&mut body));
        let prepared = self.statement(name);
        remember(&mut self.portals, portal, (prepared, Arc::new(Bound::read(body))));
        Request::Bind
    }

    fn describe(&self, body: &[u8]) -> Request {
        match body.split_first() {
            Some((b'S', mut name)) => Request::DescribeStatement(self.statement(take_string(&mut name))),
            Some((_, mut portal)) => {
                let bound = self.portals.get(take_string(&mut portal));
                Request::DescribePortal(
                    bound.map_or_else(|| Arc::new(Prepared::unknown()), |(prepared, _)| Arc::clone(prepared)),
                )
            }
            None => Request::Other,
        }
    }

    fn close(&mut self, body: &[u8]) -> Request {
        match body.split_first() {
            Some((b'S', mut name)) => drop(self.statements.remove(take_string(&mut name))),
            Some((_, mut portal)) => drop(self.portals.remove(take_string(&mut portal))),
            None => {}
        }
        Request::Bind
    }

    fn statement(&self, name: &[u8]) -> Arc<Prepared> {
        self.statements.get(name).map_or_else(|| Arc::new(Prepared::unknown()), Arc::clone)
    }
}

/// Forgets all others when there are too many: a client may go on forever with new names.
fn remember<T>(by_name: &mut HashMap<Vec<u8>, T>, name: &[u8], value: T) {
    match by_name.get_mut(name) {
        Some(known) => *known = value,
        None => {
            if by_name.len() >= REMEMBERED {
                by_name.clear();
            }
            by_name.insert(name.to_vec(), value);
        }
    }
}

/// Takes off a string and the zero byte that ends it.
fn take_string<'a>(body: &mut &'a [u8]) -> &'a [u8] {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    let string = &body[..end];
    *body = body.get(end + 1..).unwrap_or_default();
    string
}
