//! Finds where a chunked body ends (RFC 9112, section 7.1). It reads exactly as actix-http does. If the two disagreed
//! about where a body ends, two programs would read one request differently.

/// Where a chunked body stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    place: ChunkPlace,
    /// The bytes that are still to come of the chunk that is being read.
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkPlace {
    Size,
    MoreSize,
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the beginning of a line: a trailer's line, or the empty line that ends the body.
    Line,
    Trailer,
    TrailerLf,
    LastLf,
}

/// What some bytes mean for a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All the bytes belong to the body, and the body goes on after them.
    All,
    /// The body has ended after so many of the bytes.
    End(usize),
    /// The bytes break the rules. The replica refuses such a body.
    Broken,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { place: ChunkPlace::Size, left: 0 }
    }

    /// Reads the next bytes.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Read {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.place == ChunkPlace::Data {
                let taken = (bytes.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                at += taken;
                self.left -= taken as u64;
                if self.left == 0 {
                    self.place = ChunkPlace::DataCr;
                }
                continue;
            }
            at += 1;
            if (self.place, byte) == (ChunkPlace::LastLf, b'\n') {
                return Read::End(at);
            }
            match self.next(byte) {
                Some(place) => self.place = place,
                None => return Read::Broken,
            }
        }
        Read::All
    }

    fn next(&mut self, byte: u8) -> Option<ChunkPlace> {
        let next = match (self.place, byte) {
            (ChunkPlace::Size | ChunkPlace::MoreSize, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                self.left = self.left.checked_mul(16)? + u64::from(digit);
                ChunkPlace::MoreSize
            }
            (ChunkPlace::MoreSize | ChunkPlace::Space, b' ' | b'\t') => ChunkPlace::Space,
            (ChunkPlace::MoreSize | ChunkPlace::Space, b';') => ChunkPlace::Extension,
            (ChunkPlace::MoreSize | ChunkPlace::Space | ChunkPlace::Extension, b'\r') => ChunkPlace::SizeLf,
            (ChunkPlace::Extension, b'\t' | b' '..=b'~' | 0x80..) => ChunkPlace::Extension,
            (ChunkPlace::SizeLf, b'\n') if self.left == 0 => ChunkPlace::Line,
            (ChunkPlace::SizeLf, b'\n') => ChunkPlace::Data,
            (ChunkPlace::DataCr, b'\r') => ChunkPlace::DataLf,
            (ChunkPlace::DataLf, b'\n') => ChunkPlace::Size,
            (ChunkPlace::Line, b'\r') => ChunkPlace::LastLf,
            (ChunkPlace::Trailer, b'\r') => ChunkPlace::TrailerLf,
            (ChunkPlace::Line | ChunkPlace::Trailer, _) => ChunkPlace::Trailer,
            (ChunkPlace::TrailerLf, b'\n') => ChunkPlace::Line,
            _ => return None,
        };
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the body twice: in single bytes, and all at once.
    #[track_caller]
    fn assert_read(body: &str, expected: Read) {
        assert_eq!(Chunks::new().follow(body.as_bytes()), expected, "{body:?}");
        let mut chunks = Chunks::new();
        let mut taken = 0;
        let read = body.bytes().find_map(|byte| {
            taken += 1;
            Some(chunks.follow(&[byte])).filter(|read| *read != Read::All)
        });
        let read = match read {
            Some(Read::End(1)) => Read::End(taken),
            other => other.unwrap_or(Read::All),
        };
        assert_eq!(read, expected, "{body:?}, byte by byte");
    }

    #[test]
    fn a_body_ends_with_its_last_line_and_what_follows_is_the_next_request() {
        for body in [
            "0\r\n\r\n",
            "2\r\n{}\r\n0\r\n\r\n",
            "02 \t;name=\"value\"\r\n{}\r\nA\r\n0123456789\r\n000;last\r\n\r\n",
            "5\r\n\r\n0\r\n\r\n0\r\n\r\n",
            "0\r\nTrailer: x\r\nAnother: y\r\n\r\n",
        ] {
            assert_read(body, Read::End(body.len()));
            assert_read(&format!("{body}GET / HTTP/1.1\r\n\r\n"), Read::End(body.len()));
            for length in 0..body.len() {
                assert_read(&body[..length], Read::All);
            }
        }
    }

    #[test]
    fn what_its_replica_refuses_is_broken() {
        for body in [
            "\r\n",
            "-1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "g\r\n",
            "1\n",
            "1 1\r\n",
            "1;\n",
            "1;\0\r\n",
            "1\r\n{}\r\n",
            "2\r\n{}0\r\n",
            "2\r\n{}\n",
            "0\r\n\rx",
            "0\r\nTrailer: x\ry",
            "10000000000000000\r\n",
        ] {
            assert_read(body, Read::Broken);
        }
    }
}
