//! What the gateway knows of the conversation on a connection: where a request or an answer ends, and which requests
//! are unanswered. The gateway reads along (RFC 9112, section 6), and hands the bytes on as they are.
//!
//! This knowledge answers three questions:
//!
//! - A replica dies: does the client stand before the first byte of an answer? Only there may the gateway write an
//!   answer of its own, which must not land in the middle of another one.
//! - Is nothing under way? Then the client's next request can go to another replica.
//! - How long does the gateway wait? It can limit the time that a head takes only when it knows where a request
//!   begins.
//!
//! So the gateway refuses a request that it can't follow, and does not hand it on.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::head::{read_answer, read_request};
use super::limits::Limits;
use super::own_answer::OwnAnswer;
use super::place::{Asked, Place};

/// While a client has so many requests under way, the gateway reads no further from it.
const MANY_UNANSWERED: usize = 64;

pub(super) struct Conversation {
    requests: Place,
    answers: Place,
    unanswered: VecDeque<Asked>,
    /// The answer to a request that is not handed on. The client gets it when all else is answered.
    refusal: Option<OwnAnswer>,
    /// When the replica last sent something, or the client last sent a part of a head. A body doesn't count,
    /// and neither do bytes after the last answer: otherwise a client could keep the connection for ever by
    /// sending on and on.
    last_moved: Instant,
    /// When the client began to send the head that is still coming.
    head_begun: Option<Instant>,
    has_begun: bool,
    /// When the deadline is looked at next.
    next_look: Instant,
}

impl Conversation {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            requests: Place::Between,
            answers: Place::Between,
            unanswered: VecDeque::new(),
            refusal: None,
            last_moved: now,
            head_begun: None,
            has_begun: false,
            next_look: now,
        }
    }

    /// Follows bytes of the client, and returns how many of them to hand on: all, or those before a request that is
    /// refused. Call [`Conversation::is_look_too_late`] afterwards.
    pub(super) fn hear_client(&mut self, bytes: &[u8]) -> usize {
        if self.refusal.is_some() {
            return 0;
        }
        let now = Instant::now();
        let mut rest = bytes;
        while !rest.is_empty() {
            self.has_begun = true;
            if matches!(self.requests, Place::Between | Place::Head(_)) && self.answers != Place::Unknown {
                self.last_moved = now;
            }
            let unanswered = &mut self.unanswered;
            match self.requests.follow(rest, |head| read_request(head, unanswered)) {
                Ok(taken) => rest = &rest[taken..],
                Err(refusal) => {
                    self.refuse(refusal);
                    break;
                }
            }
            // The next head may begin in the same packet. It has a time limit of its own.
            let is_in_head = matches!(self.requests, Place::Head(_));
            self.head_begun = is_in_head.then(|| self.head_begun.unwrap_or(now));
        }
        bytes.len() - rest.len()
    }

    /// Follows bytes of the replica, and returns whether to hand them on. Bytes that nobody has asked for are not
    /// handed on: when a replica got no request on a connection, it says 408 and closes.
    pub(super) fn hear_replica(&mut self, bytes: &[u8]) -> bool {
        if self.is_between_requests() {
            return false;
        }
        self.last_moved = Instant::now();
        self.has_begun = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            let unanswered = &mut self.unanswered;
            match self.answers.follow(rest, |head| read_answer(head, unanswered)) {
                Ok(taken) => rest = &rest[taken..],
                Err(_) => {
                    self.answers = Place::Unknown;
                    break;
                }
            }
        }
        true
    }

    /// Whether the client would read an answer of the gateway's own as the answer to something that it asked.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_owed_an_answer() && self.answers == Place::Between
    }

    /// Whether all requests are answered, and the client may send another one.
    pub(super) fn is_between_requests(&self) -> bool {
        self.unanswered.is_empty() && self.requests == Place::Between && self.answers == Place::Between
    }

    /// Whether the gateway reads no further from the client for now.
    pub(super) fn has_many_unanswered(&self) -> bool {
        self.unanswered.len() >= MANY_UNANSWERED
    }

    /// The refusal that the client is to get now. It is also `None` while requests before the
    /// refused one are unanswered.
    pub(super) fn due_refusal(&self) -> Option<OwnAnswer> {
        self.refusal.filter(|_| self.unanswered.is_empty() && self.answers == Place::Between)
    }

    /// Whether any byte was sent, by either side.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// When the last byte moved.
    pub(super) fn last_moved(&self) -> Instant {
        self.last_moved
    }

    /// When to look again. If nothing moves until then, it is time to stop waiting. `None` when it is time now.
    pub(super) fn look(&mut self, limits: &Limits) -> Option<Instant> {
        let now = Instant::now();
        if self.head_begun.is_some_and(|begun| begun + limits.head <= now) {
            self.refuse(OwnAnswer::HeadTooSlow);
        }
        self.next_look = self.deadline(limits);
        Some(self.next_look).filter(|deadline| *deadline > now && self.due_refusal().is_none())
    }

    /// Whether the deadline is earlier than the last [`Conversation::look`] said. Mostly it becomes later with every
    /// byte, and then nobody needs to look sooner.
    pub(super) fn is_look_too_late(&self, limits: &Limits) -> bool {
        self.deadline(limits) < self.next_look
    }

    fn deadline(&self, limits: &Limits) -> Instant {
        let is_idle = self.is_between_requests();
        let deadline = self.last_moved + if is_idle { limits.idle } else { limits.answer };
        self.head_begun.map_or(deadline, |begun| deadline.min(begun + limits.head))
    }

    /// A request counts as soon as a part of its head has come: a replica may have got that part.
    fn is_owed_an_answer(&self) -> bool {
        !self.unanswered.is_empty() || matches!(self.requests, Place::Head(_))
    }

    /// From here on, the gateway hands on nothing that the client sends.
    fn refuse(&mut self, refusal: OwnAnswer) {
        self.refusal = Some(refusal);
        self.requests = Place::Unknown;
        self.head_begun = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::LONGEST_HEAD;
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    fn after(requests: &[u8], answers: &[u8]) -> Conversation {
        let mut conversation = Conversation::new();
        // The requests come in single bytes. That must make no difference.
        for byte in requests {
            conversation.hear_client(&[*byte]);
        }
        for byte in answers {
            conversation.hear_replica(&[*byte]);
        }
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
        assert!(after(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", of_head).is_between_requests());
        assert!(after(GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").is_between_requests());
        assert!(after(GET, b"HTTP/1.1 204 No Content\r\n\r\n").is_between_requests());
        assert!(after(POST, b"HTTP/1.1 100 Continue\r\n\r\n").is_unanswered());
    }

    #[test]
    fn each_kind_of_request_is_followed_to_its_end() {
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
        for request in [
            format!("{chunked}0\r\n\r\n"),
            format!("{chunked}2;x=y\r\n{{}}\r\n0\r\nTrailer: x\r\n\r\n"),
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
            "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        ] {
            assert!(after(request.as_bytes(), b"").is_unanswered(), "{request}");
            let mut conversation = after(request.as_bytes(), ANSWER);
            assert!(conversation.is_between_requests(), "{request}");
            // The request comes all at once, with another one behind it.
            let both = [request.as_bytes(), GET].concat();
            assert_eq!(conversation.hear_client(&both), both.len(), "{request}");
            assert_eq!(conversation.unanswered.len(), 2, "{request}");
        }
        for answer in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello",
        ] {
            assert!(after(GET, answer.as_bytes()).is_between_requests(), "{answer}");
        }
    }

    #[test]
    fn a_request_that_can_not_be_followed_is_refused_behind_those_before_it() {
        let host = "HTTP/1.1\r\nHost: a\r\n";
        for (request, refusal) in [
            (format!("POST / {host}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"), OwnAnswer::NoHttp),
            (format!("POST / {host}Content-Length: +2\r\n\r\n{{}}"), OwnAnswer::NoHttp),
            (
                format!("POST / {host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
                OwnAnswer::NoHttp,
            ),
            (format!("POST / {host}Transfer-Encoding: gzip, chunked\r\n\r\n"), OwnAnswer::NoHttp),
            (format!("GET / {host}Host: a\r\n\r\n"), OwnAnswer::NoHttp),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            ("POST / HTTP/1.0\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            ("GET /\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            ("CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n".to_owned(), OwnAnswer::NoHttp),
            (format!("GET / {host}X: {}", "x".repeat(LONGEST_HEAD)), OwnAnswer::HeadTooLong),
            (format!("GET / {host}{}", "X: y\r\n".repeat(100)), OwnAnswer::HeadTooLong),
            (format!("GET /{}", "x".repeat(LONGEST_HEAD)), OwnAnswer::UrlTooLong),
        ] {
            let bytes = [GET, request.as_bytes()].concat();
            let mut conversation = Conversation::new();
            assert_eq!(conversation.hear_client(&bytes), GET.len(), "{request}");
            assert_eq!(conversation.due_refusal(), None, "{request}");
            conversation.hear_replica(ANSWER);
            assert_eq!(conversation.due_refusal(), Some(refusal), "{request}");
            assert_eq!(conversation.hear_client(GET), 0, "{request}");
            assert!(!conversation.is_between_requests() && !conversation.is_unanswered(), "{request}");

            let conversation = after(&bytes, ANSWER);
            assert_eq!(conversation.due_refusal(), Some(refusal), "{request}, byte by byte");
        }
    }

    #[test]
    fn behind_a_body_that_its_replica_refuses_no_request_is_seen() {
        let broken = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n";
        let mut conversation = after(broken.as_bytes(), b"");
        conversation.hear_client(GET);
        assert_eq!(conversation.unanswered.len(), 1);
        conversation.hear_replica(ANSWER);
        assert!(!conversation.is_unanswered() && !conversation.is_between_requests());
    }

    #[test]
    fn behind_the_last_answer_nothing_is_added() {
        for answer in [
            "HTTP/1.1 413 Payload Too Large\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "no HTTP at all\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * LONGEST_HEAD)),
        ] {
            let mut conversation = after(GET, answer.as_bytes());
            conversation.hear_client(GET);
            assert!(!conversation.is_unanswered() && !conversation.is_between_requests(), "{answer}");
            conversation.hear_client(b"no HTTP\r\n\r\n");
            assert_eq!(conversation.due_refusal(), None, "{answer}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_not_handed_on() {
        let mut conversation = after(GET, ANSWER);
        assert!(!conversation.hear_replica(ANSWER));
        assert!(conversation.is_between_requests());
        let two = [ANSWER, ANSWER].concat();
        conversation.hear_client(GET);
        assert!(conversation.hear_replica(&two));
        assert!(!conversation.is_between_requests());
    }
}
