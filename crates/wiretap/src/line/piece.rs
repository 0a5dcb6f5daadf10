//! Bytes that a client has sent, and what they say. They are handed on together.

use std::sync::Arc;

use crate::protocol::requests::Request;
use crate::protocol::sql::Prepared;

/// So many bytes of an unfinished exchange are kept back at most, for a statement that is to be held.
const KEPT_BACK: usize = 1024 * 1024;

/// Bytes that a client has sent: an exchange, or a part of it.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// The messages that end in these bytes.
    pub(super) requests: Vec<Request>,
    /// The last statement of the exchange. It may have been in an earlier part.
    pub(super) statement: Option<Arc<Prepared>>,
}

impl Piece {
    /// Adds a message, and the bytes up to its end.
    pub(super) fn add(&mut self, request: Request, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if let Request::Execute(prepared, _) = &request {
            self.statement = Some(Arc::clone(prepared));
        }
        self.requests.push(request);
    }

    /// The statement that the exchange prepares, if it carries out none.
    pub(super) fn only_prepares(&self) -> Option<&Arc<Prepared>> {
        let mut prepared = self.requests.iter().rev().filter_map(|request| match request {
            Request::Prepare(prepared) => Some(prepared),
            _ => None,
        });
        prepared.next().filter(|_| self.statement.is_none())
    }

    /// Takes off what may be handed on before the exchange is complete. If a statement is to be held (`is_held`), that
    /// is nothing: the whole exchange is held with its statement.
    pub(super) fn take_part(&mut self, is_held: bool) -> Option<Self> {
        let must_wait = is_held && self.bytes.len() <= KEPT_BACK;
        if must_wait || self.bytes.is_empty() {
            return None;
        }
        let part = std::mem::take(self);
        self.statement.clone_from(&part.statement);
        Some(part)
    }
}
