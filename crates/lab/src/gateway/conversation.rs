//! What the gateway knows of a connection's conversation: whether the replica owes an answer, and whether the
//! client stands before the first byte of one. It only reads along; the bytes go on as they are.
//!
//! This decides whether the gateway may speak itself when a replica dies. It may, when the client's last bytes
//! went to the replica, nothing came back since, and every answer before was complete. In all other cases a word
//! of ours could land in the middle of an answer, so it stays silent and closes.

use std::time::Duration;

use tokio::time::Instant;

/// Answers with a longer head are not followed any further.
const LONGEST_HEAD: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;

/// Where the replica's bytes stand.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Before the first byte of an answer.
    BetweenAnswers,
    /// In an answer's head, of which so much has come.
    Head(Vec<u8>),
    /// In an answer's body, of which so many bytes are to come.
    Body(u64),
    /// Nobody can say: an answer without a Content-Length, or the last one of its connection.
    Unknown,
}

pub(super) struct Conversation {
    place: Place,
    /// The client has sent something since the replica's last byte.
    asked: bool,
    /// It asked with HEAD: the answer announces a body that doesn't come.
    head_only: bool,
    last_moved: Instant,
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self { place: Place::BetweenAnswers, asked: false, head_only: false, last_moved: Instant::now() }
    }

    /// Bytes of the client, which are about to be handed on.
    pub(super) fn hear_client(&mut self, bytes: &[u8]) {
        self.last_moved = Instant::now();
        if !self.asked && self.place == Place::BetweenAnswers {
            self.head_only = bytes.starts_with(b"HEAD ");
        }
        self.asked = true;
    }

    /// Bytes of the replica, which are about to be handed on.
    pub(super) fn hear_replica(&mut self, mut bytes: &[u8]) {
        self.last_moved = Instant::now();
        self.asked = false;
        while !bytes.is_empty() && self.place != Place::Unknown {
            let taken = match &mut self.place {
                Place::Body(left) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = Place::BetweenAnswers;
                    }
                    taken
                }
                Place::Head(begun) => {
                    let before = begun.len();
                    begun.extend_from_slice(bytes);
                    let head = std::mem::take(begun);
                    self.read_head(&head).saturating_sub(before)
                }
                Place::BetweenAnswers | Place::Unknown => self.read_head(bytes),
            };
            bytes = &bytes[taken..];
        }
    }

    /// Looks for the end of a head, and goes to the place after it. How many of `bytes` that took.
    fn read_head(&mut self, bytes: &[u8]) -> usize {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => {
                self.place = place_after(&answer, self.head_only);
                length
            }
            Ok(httparse::Status::Partial) if bytes.len() <= LONGEST_HEAD => {
                self.place = Place::Head(bytes.to_vec());
                bytes.len()
            }
            Ok(httparse::Status::Partial) | Err(_) => {
                self.place = Place::Unknown;
                bytes.len()
            }
        }
    }

    /// Whether an answer of the gateway's own would be read as the answer to what the client asked last.
    pub(super) fn is_unanswered(&self) -> bool {
        self.asked && self.place == Place::BetweenAnswers
    }

    /// Whether all that was asked is answered, and the connection was to be used further.
    pub(super) fn is_between_requests(&self) -> bool {
        !self.asked && self.place == Place::BetweenAnswers
    }

    /// When to stop waiting, if nothing moves until then.
    pub(super) fn deadline(&self, answer: Duration, idle: Duration) -> Instant {
        let is_owed = self.asked || matches!(self.place, Place::Head(_) | Place::Body(_));
        self.last_moved + if is_owed { answer } else { idle }
    }
}

/// RFC 9112, section 6.3.
fn place_after(answer: &httparse::Response<'_, '_>, head_only: bool) -> Place {
    let header = |name: &str| answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let closes = header("connection").is_some_and(|header| header.value.eq_ignore_ascii_case(b"close"));
    match answer.code {
        Some(101) => Place::Unknown,
        Some(100..=199) => Place::BetweenAnswers,
        _ if closes || answer.version != Some(1) => Place::Unknown,
        Some(204 | 304) => Place::BetweenAnswers,
        _ if header("transfer-encoding").is_some() => Place::Unknown,
        _ if head_only => Place::BetweenAnswers,
        _ => {
            let length = header("content-length").and_then(|header| str::from_utf8(header.value).ok());
            match length.and_then(|length| length.parse().ok()) {
                Some(0) => Place::BetweenAnswers,
                Some(length) => Place::Body(length),
                None => Place::Unknown,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    /// Whether the gateway may answer the last of these, after each byte of `answer` on its own.
    fn may_answer_after(requests: &[u8], answer: &[u8]) -> bool {
        let mut conversation = Conversation::new();
        conversation.hear_client(requests);
        for byte in answer {
            conversation.hear_replica(&[*byte]);
        }
        conversation.hear_client(ASKED);
        conversation.is_unanswered()
    }

    #[test]
    fn it_may_answer_what_nothing_has_come_back_for() {
        let mut conversation = Conversation::new();
        assert!(!conversation.is_unanswered());
        conversation.hear_client(ASKED);
        assert!(conversation.is_unanswered());
        conversation.hear_client(b"more");
        assert!(conversation.is_unanswered());
    }

    #[test]
    fn it_may_answer_again_only_after_the_whole_of_the_answer_before() {
        for length in 1..ANSWER.len() {
            assert!(!may_answer_after(ASKED, &ANSWER[..length]), "{length}");
        }
        assert!(may_answer_after(ASKED, ANSWER));
        assert!(may_answer_after(ASKED, &[ANSWER, ANSWER].concat()));
    }

    #[test]
    fn bytes_of_the_client_that_were_answered_are_not_answered_again() {
        let mut conversation = Conversation::new();
        conversation.hear_client(&[ASKED, ASKED].concat());
        conversation.hear_replica(ANSWER);
        assert!(!conversation.is_unanswered() && conversation.is_between_requests());
    }

    #[test]
    fn answers_without_a_body_are_complete_with_their_head() {
        assert!(may_answer_after(b"HEAD / HTTP/1.1\r\n\r\n", &ANSWER[..ANSWER.len() - 5]));
        assert!(may_answer_after(ASKED, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"));
        assert!(may_answer_after(ASKED, b"HTTP/1.1 204 No Content\r\n\r\n"));
        assert!(may_answer_after(ASKED, b"HTTP/1.1 100 Continue\r\n\r\n"));
    }

    #[test]
    fn after_an_answer_whose_end_is_not_known_or_that_was_the_last_it_stays_silent() {
        for answer in [
            "HTTP/1.1 413 Payload Too Large\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "no HTTP at all\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * LONGEST_HEAD)),
        ] {
            assert!(!may_answer_after(ASKED, answer.as_bytes()), "{answer}");
        }
    }
}
