//! What the gateway knows of a connection's conversation: where a request or an answer ends, and which requests are
//! unanswered. It only reads along (RFC 9112, section 6); the bytes go on as they are.
//!
//! This decides two things. When a replica dies, whether the client stands before the first byte of an answer, so
//! that a word of ours can't land in the middle of one. And whether nothing is under way, so that the client's next
//! request can go to another replica. What can't be followed (a chunked body, another protocol) is only handed on.

use std::collections::VecDeque;

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};
use tokio::time::Instant;

use super::Limits;

/// A longer head is not followed any further.
const LONGEST_HEAD: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;
/// A client that pipelines more requests is not followed any further.
const MOST_UNANSWERED: usize = 64;

/// Where one side's bytes stand.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Before the first byte of a message.
    Between,
    /// In a head, of which so much has come.
    Head(Vec<u8>),
    /// In a body, of which so many bytes are to come.
    Body(u64),
    /// Nobody can say.
    Unknown,
}

/// What a head's bytes are found to be.
enum Head {
    Partial,
    Complete { length: usize, next: Place },
    Unreadable,
}

/// A request that has no answer yet.
struct Asked {
    /// With HEAD: its answer announces a body that doesn't come.
    head_only: bool,
}

pub(super) struct Conversation {
    requests: Place,
    answers: Place,
    unanswered: VecDeque<Asked>,
    last_moved: Instant,
    /// Since when the client has been sending a head.
    head_begun: Option<Instant>,
    has_begun: bool,
    /// When somebody looks at the deadline next.
    next_look: Instant,
}

impl Conversation {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            requests: Place::Between,
            answers: Place::Between,
            unanswered: VecDeque::new(),
            last_moved: now,
            head_begun: None,
            has_begun: false,
            next_look: now,
        }
    }

    /// Bytes of the client, which are about to be handed on. See [`Conversation::is_look_too_late`] afterwards.
    pub(super) fn hear_client(&mut self, bytes: &[u8]) {
        self.note_movement();
        let unanswered = &mut self.unanswered;
        self.requests.follow(bytes, |head| read_request(head, unanswered));
        let is_in_head = matches!(self.requests, Place::Head(_));
        self.head_begun = is_in_head.then(|| self.head_begun.unwrap_or(self.last_moved));
    }

    /// Bytes of the replica, which are about to be handed on.
    pub(super) fn hear_replica(&mut self, bytes: &[u8]) {
        self.note_movement();
        let unanswered = &mut self.unanswered;
        self.answers.follow(bytes, |head| read_answer(head, unanswered));
    }

    /// Whether an answer of the gateway's own would be read as the answer to something that was asked.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_owed_an_answer() && self.answers == Place::Between
    }

    /// Whether all that was asked is answered, and more may be asked.
    pub(super) fn is_between_requests(&self) -> bool {
        self.unanswered.is_empty() && self.requests == Place::Between && self.answers == Place::Between
    }

    /// Whether any byte was sent, by either side.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// When to look again: by then, if nothing moves, it is time to stop waiting. `None` when it is time now.
    pub(super) fn look(&mut self, limits: &Limits) -> Option<Instant> {
        self.next_look = self.deadline(limits);
        Some(self.next_look).filter(|deadline| *deadline > Instant::now())
    }

    /// Whether the deadline has become earlier than the last [`Conversation::look`] said. It mostly becomes later,
    /// with every byte, and nobody needs to hear of that.
    pub(super) fn is_look_too_late(&self, limits: &Limits) -> bool {
        self.deadline(limits) < self.next_look
    }

    /// Whether the client takes too long for a request's head. A head that isn't there was carried out by nobody.
    pub(super) fn is_head_too_slow(&self, limits: &Limits) -> bool {
        self.head_begun.is_some_and(|begun| begun + limits.head <= Instant::now())
    }

    fn deadline(&self, limits: &Limits) -> Instant {
        let is_owed = self.is_owed_an_answer() || matches!(self.answers, Place::Head(_) | Place::Body(_));
        let deadline = self.last_moved + if is_owed { limits.answer } else { limits.idle };
        self.head_begun.map_or(deadline, |begun| deadline.min(begun + limits.head))
    }

    fn is_owed_an_answer(&self) -> bool {
        !self.unanswered.is_empty() || matches!(self.requests, Place::Head(_))
    }

    fn note_movement(&mut self) {
        self.last_moved = Instant::now();
        self.has_begun = true;
    }
}

impl Place {
    /// Goes on by these bytes.
    fn follow(&mut self, mut bytes: &[u8], mut read: impl FnMut(&[u8]) -> Head) {
        while !bytes.is_empty() {
            let taken = match self {
                Self::Unknown => return,
                Self::Body(left) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    if *left == 0 {
                        *self = Self::Between;
                    }
                    taken
                }
                Self::Between => self.follow_head(&[], bytes, &mut read),
                Self::Head(begun) => {
                    let begun = std::mem::take(begun);
                    self.follow_head(&begun, bytes, &mut read)
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// Goes on in a head of which `begun` has come. How many of `bytes` belong to it.
    fn follow_head(&mut self, begun: &[u8], bytes: &[u8], read: &mut impl FnMut(&[u8]) -> Head) -> usize {
        let together;
        let head = if begun.is_empty() {
            bytes
        } else {
            together = [begun, bytes].concat();
            &together
        };
        let (next, taken) = match read(head) {
            Head::Complete { length, next } => (next, length - begun.len()),
            Head::Partial if head.len() <= LONGEST_HEAD => (Self::Head(head.to_vec()), bytes.len()),
            Head::Partial | Head::Unreadable => (Self::Unknown, bytes.len()),
        };
        *self = next;
        taken
    }
}

fn read_request(bytes: &[u8], unanswered: &mut VecDeque<Asked>) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Head::Partial,
        Err(_) => return Head::Unreadable,
    };
    if unanswered.len() == MOST_UNANSWERED {
        return Head::Unreadable;
    }
    unanswered.push_back(Asked { head_only: request.method == Some("HEAD") });
    let framing = Framing::of(request.headers);
    let is_plain = request.version == Some(1) && request.method != Some("CONNECT") && !framing.upgrades;
    let next = if is_plain { framing.place_after(Some(0)) } else { Place::Unknown };
    Head::Complete { length, next }
}

fn read_answer(bytes: &[u8], unanswered: &mut VecDeque<Asked>) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut answer = Response::new(&mut headers);
    let length = match answer.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Head::Partial,
        Err(_) => return Head::Unreadable,
    };
    let framing = Framing::of(answer.headers);
    let next = match answer.code {
        Some(100 | 102..=199) => Place::Between,
        code => match unanswered.pop_front() {
            // The last one of its connection, or to nobody.
            _ if code == Some(101) || answer.version != Some(1) || framing.closes => Place::Unknown,
            None => Place::Unknown,
            Some(asked) if asked.head_only || matches!(code, Some(204 | 304)) => Place::Between,
            Some(_) => framing.place_after(None),
        },
    };
    Head::Complete { length, next }
}

/// What a head says of its message's end.
#[derive(Default)]
struct Framing {
    lengths: usize,
    length: Option<u64>,
    encoded: bool,
    closes: bool,
    upgrades: bool,
}

impl Framing {
    fn of(headers: &[Header<'_>]) -> Self {
        let mut framing = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                framing.lengths += 1;
                framing.length = str::from_utf8(header.value).ok().and_then(|length| length.parse().ok());
            } else if is("transfer-encoding") {
                framing.encoded = true;
            } else if is("connection") {
                framing.closes |= header.value.eq_ignore_ascii_case(b"close");
            } else if is("upgrade") {
                framing.upgrades = true;
            }
        }
        framing
    }

    /// Where the message stands after its head. `unsaid`: the length of a body of which nothing is said.
    fn place_after(&self, unsaid: Option<u64>) -> Place {
        let length = match self.lengths {
            _ if self.encoded => None,
            0 => unsaid,
            1 => self.length,
            // Two of them: a request that somebody else may read differently.
            _ => None,
        };
        match length {
            Some(0) => Place::Between,
            Some(length) => Place::Body(length),
            None => Place::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    fn after(requests: &[u8], answers: &[u8]) -> Conversation {
        let mut conversation = Conversation::new();
        // In single bytes, which must make no difference.
        requests.iter().for_each(|byte| conversation.hear_client(&[*byte]));
        answers.iter().for_each(|byte| conversation.hear_replica(&[*byte]));
        conversation
    }

    #[test]
    fn a_request_is_unanswered_from_its_first_byte_to_the_first_of_its_answer() {
        for length in 1..=POST.len() {
            let conversation = after(&POST[..length], b"");
            assert!(conversation.is_unanswered() && !conversation.is_between_requests(), "{length}");
        }
        for length in 1..ANSWER.len() {
            let conversation = after(POST, &ANSWER[..length]);
            assert!(!conversation.is_unanswered() && !conversation.is_between_requests(), "{length}");
        }
        let conversation = after(POST, ANSWER);
        assert!(!conversation.is_unanswered() && conversation.is_between_requests());
    }

    #[test]
    fn each_of_many_requests_at_once_is_waited_for() {
        let requests = [POST, GET, POST].concat();
        let mut conversation = Conversation::new();
        conversation.hear_client(&requests);
        for _ in 0..2 {
            conversation.hear_replica(ANSWER);
            assert!(conversation.is_unanswered() && !conversation.is_between_requests());
        }
        conversation.hear_replica(ANSWER);
        assert!(!conversation.is_unanswered() && conversation.is_between_requests());
    }

    #[test]
    fn a_request_that_comes_in_the_middle_of_an_answer_is_not_answered_there() {
        let mut conversation = after(GET, &ANSWER[..ANSWER.len() - 1]);
        conversation.hear_client(GET);
        assert!(!conversation.is_unanswered());
        conversation.hear_replica(b"o");
        assert!(conversation.is_unanswered());
    }

    #[test]
    fn an_answer_that_comes_before_the_end_of_its_request_leaves_it_to_be_sent() {
        let conversation = after(&POST[..POST.len() - 1], ANSWER);
        assert!(!conversation.is_unanswered() && !conversation.is_between_requests());
    }

    #[test]
    fn answers_without_a_body_are_complete_with_their_head() {
        let of_head = &ANSWER[..ANSWER.len() - 5];
        assert!(after(b"HEAD / HTTP/1.1\r\n\r\n", of_head).is_between_requests());
        assert!(after(GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").is_between_requests());
        assert!(after(GET, b"HTTP/1.1 204 No Content\r\n\r\n").is_between_requests());
        assert!(after(POST, b"HTTP/1.1 100 Continue\r\n\r\n").is_unanswered());
    }

    #[test]
    fn what_it_can_not_follow_is_only_handed_on() {
        for request in [
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            "GET / HTTP/1.0\r\n\r\n",
            "CONNECT shop:80 HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: other\r\n\r\n",
        ] {
            assert!(after(request.as_bytes(), b"").is_unanswered(), "{request}");
            assert!(!after(request.as_bytes(), ANSWER).is_between_requests(), "{request}");
        }
        for answer in [
            "HTTP/1.1 413 Payload Too Large\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "no HTTP at all\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * LONGEST_HEAD)),
        ] {
            let mut conversation = after(GET, answer.as_bytes());
            conversation.hear_client(GET);
            assert!(!conversation.is_unanswered() && !conversation.is_between_requests(), "{answer}");
        }
        assert!(!after(b"", ANSWER).is_between_requests(), "an answer to nobody");
    }
}
