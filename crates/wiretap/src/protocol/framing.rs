//! Finds where messages begin and end, whatever the cuts between two reads. It needs little memory, however long a
//! message is.

/// So many bytes of a message are kept at most. The rest of a longer message is passed over.
const KEPT: usize = 64 * 1024;
/// PostgreSQL takes no longer message of a client that has not started yet (`MAX_STARTUP_PACKET_LENGTH`).
const LONGEST_STARTUP: usize = 10_000;
/// PostgreSQL takes and sends no longer message (`PQ_LARGE_MESSAGE_LIMIT`).
const LONGEST: usize = (1 << 30) - 1;
const LENGTH_BYTES: usize = 4;

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its tag. The messages before the protocol itself begins have none: for them this is 0.
    pub tag: u8,
    /// What follows its length. The end of a very long message is missing.
    pub body: &'a [u8],
}

/// These bytes are not a message of PostgreSQL's protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Whether messages have a tag. Only those before the protocol itself begins have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// These messages have none.
    No,
    /// These messages have one of these tags.
    With(&'static [u8]),
}

/// The message that the bytes so far have begun.
#[derive(Default)]
pub struct Framing {
    /// The beginning of the message.
    begun: Vec<u8>,
    /// How many bytes of the message there were.
    taken: usize,
    is_complete: bool,
}

impl Framing {
    /// Returns the next message that `bytes` complete, and moves `at` to where it ends. `None`: more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no message. It makes no sense to read on after that.
    pub fn next<'a>(
        &'a mut self,
        bytes: &'a [u8],
        at: &mut usize,
        tagged: Tagged,
    ) -> Result<Option<Frame<'a>>, Unreadable> {
        if self.is_complete {
            *self = Self { begun: std::mem::take(&mut self.begun), ..Self::default() };
            self.begun.clear();
        }
        if self.taken == 0
            && let Some(length) = whole_length(&bytes[*at..], tagged)?
            && let Some(message) = bytes.get(*at..*at + length)
        {
            *at += length;
            return Ok(Some(Frame::of(&message[..length.min(KEPT)], tagged)));
        }
        self.collect(bytes, at, tagged)?;
        Ok(self.is_complete.then(|| Frame::of(&self.begun, tagged)))
    }

    /// Whether the next byte begins a message.
    pub fn is_between_messages(&self) -> bool {
        self.taken == 0 || self.is_complete
    }

    fn collect(&mut self, bytes: &[u8], at: &mut usize, tagged: Tagged) -> Result<(), Unreadable> {
        self.take(bytes, at, head(tagged).saturating_sub(self.taken));
        let Some(length) = whole_length(&self.begun, tagged)? else { return Ok(()) };
        self.take(bytes, at, length - self.taken);
        self.is_complete = self.taken == length;
        Ok(())
    }

    /// Takes up to `most` bytes.
    fn take(&mut self, bytes: &[u8], at: &mut usize, most: usize) {
        let part = &bytes[*at..][..most.min(bytes.len() - *at)];
        let kept = part.len().min(KEPT - self.begun.len());
        self.begun.extend_from_slice(&part[..kept]);
        self.taken += part.len();
        *at += part.len();
    }
}

impl<'a> Frame<'a> {
    fn of(message: &'a [u8], tagged: Tagged) -> Self {
        let tag = if tagged == Tagged::No { 0 } else { message[0] };
        Self { tag, body: &message[head(tagged)..] }
    }
}

/// How many bytes stand before a message's body.
fn head(tagged: Tagged) -> usize {
    usize::from(tagged != Tagged::No) + LENGTH_BYTES
}

/// The length of the message that begins so, its tag included. `None`: too few bytes are there to know it.
fn whole_length(message: &[u8], tagged: Tagged) -> Result<Option<usize>, Unreadable> {
    let (tag_bytes, longest) = match tagged {
        Tagged::No => (0, LONGEST_STARTUP),
        Tagged::With(tags) => match message.first() {
            Some(tag) if !tags.contains(tag) => return Err(Unreadable),
            _ => (1, LONGEST),
        },
    };
    let Some(length) = message.get(tag_bytes..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
    // The length counts itself, and not the tag.
    let length = u32::from_be_bytes(*length) as usize;
    if (LENGTH_BYTES..=longest).contains(&length) { Ok(Some(tag_bytes + length)) } else { Err(Unreadable) }
}
