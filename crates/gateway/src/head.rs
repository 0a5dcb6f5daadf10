//! Reads what a head says of its message: where the message ends, and what comes behind it (RFC 9112, section 6). A
//! request is refused when its end could be read in two ways.

use std::collections::VecDeque;

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};

use super::chunks::Chunks;
use super::own_answer::OwnAnswer;
use super::place::{Asked, Head, Place};

/// A replica reads so many, too.
const MOST_HEADERS: usize = 96;

/// Reads a request's head, and adds the request to the unanswered ones when it is complete.
pub(super) fn read_request(bytes: &[u8], unanswered: &mut VecDeque<Asked>) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Head::Partial,
        Err(httparse::Error::TooManyHeaders) => return Head::Unreadable(OwnAnswer::HeadTooLong),
        Err(_) => return Head::Unreadable(OwnAnswer::NoHttp),
    };
    let framing = Framing::of(request.headers);
    let is_http_1_1 = request.version == Some(1);
    let has_one_host = framing.hosts == 1 || (framing.hosts == 0 && !is_http_1_1);
    let lacks_length = request.method == Some("POST") && framing.lengths == 0 && !is_http_1_1;
    // Another protocol comes behind such a request, and goes on for as long as it likes.
    let is_tunnel = request.method == Some("CONNECT");
    let next = framing.place_after_request(is_http_1_1);
    let Some(next) = next.filter(|_| has_one_host && !lacks_length && !is_tunnel) else {
        return Head::Unreadable(OwnAnswer::NoHttp);
    };
    unanswered.push_back(Asked { head_only: request.method == Some("HEAD") });
    Head::Complete { length, next }
}

/// Reads an answer's head, and takes the request that it answers from the unanswered ones.
pub(super) fn read_answer(bytes: &[u8], unanswered: &mut VecDeque<Asked>) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut answer = Response::new(&mut headers);
    let length = match answer.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Head::Partial,
        Err(_) => return Head::Unreadable(OwnAnswer::NoHttp),
    };
    let framing = Framing::of(answer.headers);
    // actix-http repeats a client's `Connection: upgrade` in any answer, and closes.
    let is_last = framing.closes || framing.upgrades || (answer.version != Some(1) && !framing.keeps);
    let next = match answer.code {
        Some(100 | 102..=199) => Place::Between,
        code => match unanswered.pop_front() {
            _ if code == Some(101) || is_last => Place::Unknown,
            // Nobody has asked for this answer.
            None => Place::Unknown,
            Some(asked) if asked.head_only || matches!(code, Some(204 | 304)) => Place::Between,
            Some(_) => framing.place_after_answer(),
        },
    };
    Head::Complete { length, next }
}

/// What a head says of its message's end.
#[derive(Default)]
struct Framing {
    hosts: usize,
    lengths: usize,
    length: Option<u64>,
    encodings: usize,
    is_chunked: bool,
    closes: bool,
    upgrades: bool,
    keeps: bool,
}

impl Framing {
    fn of(headers: &[Header<'_>]) -> Self {
        let mut framing = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let value = header.value.trim_ascii();
            if is("host") {
                framing.hosts += 1;
            } else if is("content-length") {
                framing.lengths += 1;
                framing.length = length(value);
            } else if is("transfer-encoding") {
                framing.encodings += 1;
                framing.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if is("connection") {
                let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                framing.closes |= words.clone().any(|word| word.eq_ignore_ascii_case(b"close"));
                framing.upgrades |= words.clone().any(|word| word.eq_ignore_ascii_case(b"upgrade"));
                framing.keeps |= words.any(|word| word.eq_ignore_ascii_case(b"keep-alive"));
            }
        }
        framing
    }

    /// `None` when it isn't clear where the request ends: another program might find another end.
    fn place_after_request(&self, is_http_1_1: bool) -> Option<Place> {
        match (self.encodings, self.lengths) {
            (0, 0) => Some(Place::Between),
            (0, 1) => self.length.map(Place::after),
            (1, 0) if self.is_chunked && is_http_1_1 => Some(Place::Chunks(Chunks::new())),
            _ => None,
        }
    }

    fn place_after_answer(&self) -> Place {
        match (self.encodings, self.lengths) {
            (0, 1) => self.length.map_or(Place::Unknown, Place::after),
            (1, 0) if self.is_chunked => Place::Chunks(Chunks::new()),
            // The body goes on until the connection ends.
            _ => Place::Unknown,
        }
    }
}

/// Reads digits alone. Rust's own parser would also accept a sign.
fn length(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::limits::LONGEST_HEAD;
    use super::*;

    const FIRST_LINE: &str = "GET / HTTP/1.1\r\n";

    /// Follows the bytes one by one, and returns how often a head was read, and the refusal.
    fn drip(bytes: &[u8]) -> (usize, Option<OwnAnswer>) {
        let mut place = Place::Between;
        let mut readings = 0;
        for byte in bytes {
            let followed = place.follow(&[*byte], |head| {
                readings += 1;
                read_request(head, &mut VecDeque::new())
            });
            if let Err(refusal) = followed {
                return (readings, Some(refusal));
            }
        }
        (readings, None)
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_read_at_its_first_byte_and_where_lines_end() {
        let head = format!("{FIRST_LINE}Host: a\r\nX: {}\t\r\n\r\n", "x".repeat(20_000));
        // Each of the four lines ends with two bytes.
        assert_eq!(drip(head.as_bytes()), (1 + 4 * 2, None));
    }

    #[test]
    fn what_no_head_may_contain_is_refused_before_its_line_ends() {
        let no_head = format!("{FIRST_LINE}X: a\0");
        assert_eq!(drip(no_head.as_bytes()).1, Some(OwnAnswer::NoHttp));
        assert_eq!(drip(b"\x16\x03\x01").1, Some(OwnAnswer::NoHttp));
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        for (begun, refusal) in [
            (FIRST_LINE.to_owned() + "X: ", OwnAnswer::HeadTooLong),
            ("GET /".to_owned(), OwnAnswer::UrlTooLong),
        ] {
            let all = begun.clone() + &"x".repeat(LONGEST_HEAD - begun.len());
            assert_eq!(drip(all.as_bytes()).1, None);
            assert_eq!(drip((all + "x").as_bytes()).1, Some(refusal));
        }
    }
}
