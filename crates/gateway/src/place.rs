//! Where a connection stands between its messages.

use super::chunks::{self, Chunks};
use super::limits::LONGEST_HEAD;
use super::own_answer::OwnAnswer;

/// Where one side's bytes stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the first byte of a message.
    Between,
    /// In a head, of which so much has come.
    Head(Vec<u8>),
    /// In a body, of which so many bytes are to come.
    Body(u64),
    /// In a body in chunks.
    Chunks(Chunks),
    /// Behind the last message of its side, or in one that ends with the connection.
    Unknown,
}

/// A request that has no answer yet.
pub(super) struct Asked {
    /// With HEAD: its answer announces a body that doesn't come.
    pub(super) head_only: bool,
}

/// What a head's bytes are found to be.
pub(super) enum Head {
    Partial,
    Complete { length: usize, next: Place },
    Unreadable(OwnAnswer),
}

impl Place {
    /// In a body of so many bytes.
    pub(super) fn after(length: u64) -> Self {
        if length == 0 { Self::Between } else { Self::Body(length) }
    }

    /// Goes on by some of these bytes, which are not empty: how many.
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
                // The replica says so, and closes.
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

    /// Goes on in a head of which `head` has come. How many of `bytes` belong to it.
    fn follow_head(
        &mut self,
        mut head: Vec<u8>,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Head,
    ) -> Result<usize, OwnAnswer> {
        let begun = head.len();
        head.extend_from_slice(bytes);
        let readable = &head[..head.len().min(LONGEST_HEAD)];
        match read(readable) {
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
