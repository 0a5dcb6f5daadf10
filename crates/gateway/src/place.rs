//! Where one side of a connection stands: between two messages, in a head, or in a body.

use super::chunks::{self, Chunks};
use super::limits::LONGEST_HEAD;
use super::own_answer::OwnAnswer;

/// Where the bytes of one side stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the first byte of a message.
    Between,
    /// In a head. These bytes of it have come.
    Head(Vec<u8>),
    /// In a body. So many bytes of it are still to come.
    Body(u64),
    /// In a body that comes in chunks.
    Chunks(Chunks),
    /// After the last message of this side, or in a message that ends with the connection.
    Unknown,
}

/// A request that has no answer yet.
pub(super) struct Asked {
    /// It was a HEAD request: its answer announces a body that doesn't come.
    pub(super) head_only: bool,
}

/// What the bytes of a head turn out to be.
pub(super) enum Head {
    Partial,
    Complete { length: usize, next: Place },
    Unreadable(OwnAnswer),
}

impl Place {
    /// The place when so many bytes of a body are still to come.
    pub(super) fn after(length: u64) -> Self {
        if length == 0 { Self::Between } else { Self::Body(length) }
    }

    /// Follows `bytes`, of which there must be some. Stops where a head or a body ends, and returns
    /// how many bytes it took.
    pub(super) fn follow(
        &mut self,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Head,
    ) -> Result<usize, OwnAnswer> {
        match self {
            Self::Unknown => Ok(bytes.len()),
            Self::Body(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *self = Self::after(*left - taken as u64);
                Ok(taken)
            }
            Self::Chunks(chunks) => match chunks.follow(bytes) {
                chunks::Read::All => Ok(bytes.len()),
                chunks::Read::End(taken) => {
                    *self = Self::Between;
                    Ok(taken)
                }
                // The replica itself refuses such a body, and closes.
                chunks::Read::Broken => {
                    *self = Self::Unknown;
                    Ok(bytes.len())
                }
            },
            Self::Between => self.follow_head(Vec::new(), bytes, read),
            Self::Head(begun) => {
                let begun = std::mem::take(begun);
                self.follow_head(begun, bytes, read)
            }
        }
    }

    /// Follows a head that began with `head`. Returns how many of `bytes` belong to it.
    ///
    /// Reading starts again at the head's first byte. If it did so for every byte of a head that comes byte by byte, a
    /// head of 32 KiB would cost half a gigabyte of reading. So further bytes are read when a line ends among them.
    fn follow_head(
        &mut self,
        mut head: Vec<u8>,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Head,
    ) -> Result<usize, OwnAnswer> {
        let begun = head.len();
        head.extend_from_slice(bytes);
        let readable = &head[..head.len().min(LONGEST_HEAD)];
        let is_worth_reading = begun == 0 || bytes.iter().any(ends_line_or_is_wrong);
        match if is_worth_reading { read(readable) } else { Head::Partial } {
            Head::Complete { length, next } => {
                *self = next;
                Ok(length - begun)
            }
            Head::Partial if head.len() <= LONGEST_HEAD => {
                *self = Self::Head(head);
                Ok(bytes.len())
            }
            Head::Partial if readable.contains(&b'\n') => Err(OwnAnswer::HeadTooLong),
            Head::Partial => Err(OwnAnswer::UrlTooLong),
            Head::Unreadable(refusal) => Err(refusal),
        }
    }
}

/// Whether a head may have ended with this byte, or no head may contain it. Such a byte is looked at without delay, so
/// that the gateway refuses another protocol before a replica does.
fn ends_line_or_is_wrong(byte: &u8) -> bool {
    byte.is_ascii_control() && *byte != b'\t'
}
