//! Reads any bytes along as one side's messages, once in one piece and once in many. The messages must be the same, and
//! nothing may panic.

#![no_main]

#[allow(dead_code, reason = "the wiretap itself uses all of it")]
#[path = "../../src/protocol/framing.rs"]
mod framing;

use framing::{Framing, Tagged, Unreadable};
use libfuzzer_sys::fuzz_target;

const CLIENT_TAGS: &[u8] = b"BCDEFHPQSXcdfp";

fuzz_target!(|input: (bool, Vec<u8>, Vec<u8>)| {
    let (has_tags, cuts, bytes) = input;
    let tagged = if has_tags { Tagged::With(CLIENT_TAGS) } else { Tagged::No };
    assert_eq!(read(&split(&bytes, &cuts), tagged), read(&[&bytes], tagged));
});

/// The messages and, if something is no message, that.
fn read(pieces: &[&[u8]], tagged: Tagged) -> (Vec<(u8, Vec<u8>)>, Result<(), Unreadable>) {
    let (mut framing, mut messages) = (Framing::default(), Vec::new());
    for piece in pieces {
        let mut at = 0;
        loop {
            match framing.next(piece, &mut at, tagged) {
                Ok(Some(frame)) => messages.push((frame.tag, frame.body.to_vec())),
                Ok(None) => break,
                Err(unreadable) => return (messages, Err(unreadable)),
            }
        }
        assert_eq!(at, piece.len(), "all of a piece is read");
    }
    (messages, Ok(()))
}

/// Each number says how many bytes the next piece has.
fn split<'a>(mut bytes: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = bytes.split_at((*cut as usize).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}
