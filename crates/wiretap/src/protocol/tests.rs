//! Reading along does not depend on the cuts between two reads, and no bytes make it panic or take much memory.

use proptest::prelude::*;
use proptest::sample::Index;

use super::answers::Answers;
use super::framing::{Framing, Tagged};
use super::requests::Requests;

const CLIENT_TAGS: &[u8] = b"BCDEFHPQSXcdfp";
const SERVER_TAGS: &[u8] = b"123ACDEGHIKNRSTVWZcdnstv";

proptest! {
    #[test]
    fn the_messages_of_a_client_are_the_same_however_they_are_cut(
        messages in messages(CLIENT_TAGS), cuts in cuts(),
    ) {
        let sent = [startup(), messages].concat();

        prop_assert_eq!(read_requests(&split(&sent, &cuts)), read_requests(&[&sent]));
    }

    #[test]
    fn the_messages_of_postgresql_are_the_same_however_they_are_cut(
        messages in messages(SERVER_TAGS), cuts in cuts(),
    ) {
        prop_assert_eq!(read_answers(&split(&messages, &cuts)), read_answers(&[&messages]));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_the_same_however_they_are_cut(
        has_started in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..500), cuts in cuts(),
    ) {
        let start = if has_started { startup() } else { Vec::new() };
        let sent = [start, bytes.clone()].concat();

        prop_assert_eq!(read_requests(&split(&sent, &cuts)), read_requests(&[&sent]));
        prop_assert_eq!(read_answers(&split(&bytes, &cuts)), read_answers(&[&bytes]));
    }
}

#[test]
fn a_very_long_message_needs_little_memory_and_its_end_is_found() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let header = [b"Q".as_slice(), &u32::try_from(LENGTH + 4).unwrap().to_be_bytes()].concat();
    let (mut framing, part) = (Framing::default(), [b'x'; 16 * 1024]);
    let mut next = |bytes: &[u8], at: &mut usize| {
        framing.next(bytes, at, Tagged::With(CLIENT_TAGS)).unwrap().map(|frame| (frame.tag, frame.body.len()))
    };

    assert_eq!(next(&header, &mut 0), None);
    for _ in 1..LENGTH / part.len() {
        assert_eq!(next(&part, &mut 0), None);
    }
    let last = [part.as_slice(), b"S\0\0\0\x04"].concat();
    let mut at = 0;
    let (tag, kept) = next(&last, &mut at).unwrap();
    assert_eq!((tag, at), (b'Q', part.len()));
    assert!(kept <= 64 * 1024, "{kept}");
    assert_eq!(next(&last, &mut at), Some((b'S', 0)));
}

/// All messages, as text, and whether the bytes became unreadable.
fn read_requests(parts: &[&[u8]]) -> Vec<String> {
    let (mut requests, mut read) = (Requests::default(), Vec::new());
    for part in parts {
        let mut at = 0;
        loop {
            match requests.next(part, &mut at) {
                Ok(Some(request)) => read.push(format!("{request:?}")),
                Ok(None) => break,
                Err(unreadable) => {
                    read.push(format!("{unreadable:?}"));
                    return read;
                }
            }
        }
    }
    read
}

fn read_answers(parts: &[&[u8]]) -> Vec<String> {
    let (mut answers, mut read) = (Answers::default(), Vec::new());
    for part in parts {
        let mut at = 0;
        loop {
            let is_byte = read.is_empty();
            match answers.next(part, &mut at, is_byte) {
                Ok(Some(answer)) => read.push(format!("{answer:?}")),
                Ok(None) => break,
                Err(unreadable) => {
                    read.push(format!("{unreadable:?}"));
                    return read;
                }
            }
        }
    }
    read
}

fn split<'a>(mut bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    for cut in cuts {
        let (part, rest) = bytes.split_at(cut.index(bytes.len() + 1));
        parts.push(part);
        bytes = rest;
    }
    parts.push(bytes);
    parts
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..40)
}

fn messages(tags: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(tags);
    // Names and counts as they are in real messages, and then anything.
    let begin = prop::sample::select(vec![b"".as_slice(), b"s1\0", b"\0s1\0\0\0\0\x01", b"Ss1\0"]);
    let message = (tag, begin, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(tag, begin, rest)| {
        let body = [begin, &rest].concat();
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag], length.to_be_bytes().as_slice(), &body].concat()
    });
    prop::collection::vec(message, 0..20).prop_map(|messages| messages.concat())
}

fn startup() -> Vec<u8> {
    [9_u32.to_be_bytes().as_slice(), &196_608_u32.to_be_bytes(), b"\0"].concat()
}
