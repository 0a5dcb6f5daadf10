//! Finds where the messages of PostgreSQL's protocol begin and end (PostgreSQL manual, chapter 55), and which of them
//! execute a statement.

use std::collections::HashMap;

/// The codes that stand in the place of a protocol version (PostgreSQL manual, section 55.7). CancelRequest is not
/// answered. SSLRequest and GSSENCRequest are answered with one byte.
const CANCEL: u32 = 80_877_102;
const ASKS_FOR_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// A part of what a client sends. It is handed on as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The bytes as they came.
    pub bytes: Vec<u8>,
    /// The statement that these bytes execute.
    pub statement: Option<String>,
    /// What ends the answer to them.
    pub answer: Answer,
}

/// What ends an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// There is no answer to this part alone.
    #[default]
    None,
    /// One byte ends it, before the protocol itself begins.
    Byte,
    /// ReadyForQuery ends it.
    Ready,
}

/// Splits what a client sends into exchanges.
#[derive(Default)]
pub struct Requests {
    unread: Vec<u8>,
    has_started: bool,
    current: Exchange,
    /// The prepared statements, by their names.
    statements: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
}

impl Requests {
    /// Takes in the next bytes, and returns the exchanges that they complete.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Exchange> {
        self.unread.extend_from_slice(bytes);
        let mut complete = Vec::new();
        while let Some(message) = self.next_message() {
            complete.extend(self.take_in(message));
        }
        complete
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let tag = usize::from(self.has_started);
        take_message(&mut self.unread, tag)
    }

    fn take_in(&mut self, message: Vec<u8>) -> Option<Exchange> {
        if !self.has_started {
            let code = u32::from_be_bytes(*message.get(4..)?.first_chunk()?);
            self.has_started = code != CANCEL && !ASKS_FOR_ENCRYPTION.contains(&code);
            let answer = match code {
                CANCEL => Answer::None,
                code if ASKS_FOR_ENCRYPTION.contains(&code) => Answer::Byte,
                _ => Answer::Ready,
            };
            return Some(Exchange { bytes: message, statement: None, answer });
        }

        let (tag, body) = (message[0], &message[5..]);
        match tag {
            b'Q' => self.current.statement = Some(text(strings(body).next().unwrap_or_default())),
            b'P' => {
                let mut strings = strings(body);
                if let (Some(name), Some(sql)) = (strings.next(), strings.next()) {
                    self.statements.insert(name.to_vec(), text(sql));
                }
            }
            b'B' => {
                let mut strings = strings(body);
                if let (Some(portal), Some(name)) = (strings.next(), strings.next()) {
                    let statement = self.statements.get(name).cloned().unwrap_or_default();
                    self.portals.insert(portal.to_vec(), statement);
                }
            }
            b'E' => {
                let portal = strings(body).next().unwrap_or_default();
                self.current.statement = Some(self.portals.get(portal).cloned().unwrap_or_default());
            }
            _ => {}
        }
        self.current.bytes.extend(message);
        match tag {
            b'P' | b'B' | b'D' | b'E' | b'C' => None,
            b'Q' | b'S' | b'F' => {
                Some(Exchange { answer: Answer::Ready, ..std::mem::take(&mut self.current) })
            }
            // A password, a row of COPY, Flush, Terminate: nobody waits for further messages of this kind.
            _ => Some(std::mem::take(&mut self.current)),
        }
    }
}

/// Splits what PostgreSQL answers into messages.
#[derive(Default)]
pub struct Answers {
    unread: Vec<u8>,
}

impl Answers {
    /// Takes in the next bytes.
    pub fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Returns the next message of such an answer, if all of it is there, and whether it is the last
    /// message of the answer.
    pub fn next_message(&mut self, answer: Answer) -> Option<(Vec<u8>, bool)> {
        if answer == Answer::Byte {
            return (!self.unread.is_empty()).then(|| (vec![self.unread.remove(0)], true));
        }
        let message = take_message(&mut self.unread, 1)?;
        let is_last = message[0] == b'Z';
        Some((message, is_last))
    }
}

/// Takes off the first message, if all of it is there. It has a tag of `tag` bytes, a length that counts
/// itself, and the rest.
fn take_message(unread: &mut Vec<u8>, tag: usize) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*unread.get(tag..)?.first_chunk()?) as usize;
    let end = tag + length.max(4);
    (unread.len() >= end).then(|| unread.drain(..end).collect())
}

fn strings(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == 0)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_statement_is_known_when_it_is_executed_later() {
        let mut requests = started();
        let parse = message(b'P', b"s1\0SELECT 1\0\0\0");
        let bind = message(b'B', b"\0s1\0\0\0\0\0\0\0");
        let execute = message(b'E', b"\0\0\0\0\0");
        let sync = message(b'S', b"");

        let prepared = requests.read(&[parse, sync.clone()].concat());
        let executed = requests.read(&[bind, execute, sync].concat());

        assert_eq!(prepared.len(), 1);
        assert_eq!((&prepared[0].statement, prepared[0].answer), (&None, Answer::Ready));
        assert_eq!(executed[0].statement.as_deref(), Some("SELECT 1"));
    }

    #[test]
    fn however_the_bytes_are_split_they_are_handed_on_as_they_came() {
        let sent = [startup(), message(b'Q', b"BEGIN\0"), message(b'S', b""), message(b'X', b"")].concat();
        for size in 1..sent.len() {
            let mut requests = Requests::default();

            let exchanges: Vec<Exchange> = sent.chunks(size).flat_map(|part| requests.read(part)).collect();

            let statements: Vec<_> = exchanges.iter().map(|exchange| exchange.statement.as_deref()).collect();
            assert_eq!(statements, [None, Some("BEGIN"), None, None]);
            assert_eq!(exchanges.into_iter().flat_map(|exchange| exchange.bytes).collect::<Vec<_>>(), sent);
        }
    }

    #[test]
    fn an_answer_ends_with_ready_for_query() {
        let mut answers = Answers::default();
        let (complete, ready) = (message(b'C', b"BEGIN\0"), message(b'Z', b"T"));
        answers.read(b"N");
        answers.read(&complete);
        answers.read(&ready[..3]);

        assert_eq!(answers.next_message(Answer::Byte), Some((b"N".to_vec(), true)));
        assert_eq!(answers.next_message(Answer::Ready), Some((complete, false)));
        assert_eq!(answers.next_message(Answer::Ready), None);
        answers.read(&ready[3..]);
        assert_eq!(answers.next_message(Answer::Ready), Some((ready, true)));
    }

    fn started() -> Requests {
        let mut requests = Requests::default();
        assert_eq!(requests.read(&startup()).len(), 1);
        requests
    }

    fn startup() -> Vec<u8> {
        [9_u32.to_be_bytes().as_slice(), &196_608_u32.to_be_bytes(), b"\0"].concat()
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag], length.to_be_bytes().as_slice(), body].concat()
    }
}
