//! Reads the values that a client binds to the parameters of a statement (Bind).

use bytes::{Buf, TryGetError};

/// So many bytes of the values are kept at most.
const KEPT: usize = 4 * 1024;

/// The values of a statement's parameters.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The message's body from its formats on, or the beginning of it.
    values: Box<[u8]>,
    /// The formats that the client wants the columns in.
    pub result_formats: Formats,
}

/// Whether values are binary or text. One format counts for all values, and none says that all are text.
#[derive(Clone, Debug, Default)]
pub struct Formats(Vec<u16>);

/// A value, and its format. `None`: NULL.
pub type BoundValue<'a> = (Format, Option<&'a [u8]>);

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As text, as psql shows it.
    Text,
    /// As PostgreSQL's own bytes.
    Binary,
}

impl Bound {
    /// Reads what follows the two names in the message.
    pub fn read(body: &[u8]) -> Self {
        let result_formats = read_result_formats(body).unwrap_or_default();
        Self { values: body[..body.len().min(KEPT)].into(), result_formats }
    }

    /// The values, as many as were kept.
    pub fn values(&self) -> Vec<BoundValue<'_>> {
        let mut values = Vec::new();
        let _ = self.read_values(&mut values);
        values
    }

    /// How many bytes are kept.
    pub fn size(&self) -> usize {
        self.values.len()
    }

    fn read_values<'a>(&'a self, values: &mut Vec<BoundValue<'a>>) -> Result<(), TryGetError> {
        let mut rest = &*self.values;
        let formats = Formats::read(&mut rest)?;
        for index in 0..rest.try_get_u16()? {
            match take_value(&mut rest)? {
                Some(value) => values.push((formats.of(index.into()), value)),
                None => break,
            }
        }
        Ok(())
    }
}

impl Formats {
    fn read(body: &mut &[u8]) -> Result<Self, TryGetError> {
        let count = body.try_get_u16()?;
        (0..count).map(|_| body.try_get_u16()).collect::<Result<_, _>>().map(Self)
    }

    /// The format of the value with this index.
    pub fn of(&self, index: usize) -> Format {
        let format = if let [all] = self.0[..] { Some(all) } else { self.0.get(index).copied() };
        if format == Some(1) { Format::Binary } else { Format::Text }
    }
}

/// Takes one value off. The inner `None` is NULL, the outer one says that the value's end is missing.
pub fn take_value<'a>(rest: &mut &'a [u8]) -> Result<Option<Option<&'a [u8]>>, TryGetError> {
    let Ok(length) = usize::try_from(rest.try_get_i32()?) else { return Ok(Some(None)) };
    let Some((value, after)) = rest.split_at_checked(length) else { return Ok(None) };
    *rest = after;
    Ok(Some(Some(value)))
}

fn read_result_formats(mut body: &[u8]) -> Result<Formats, TryGetError> {
    Formats::read(&mut body)?;
    for _ in 0..body.try_get_u16()? {
        if take_value(&mut body)?.is_none() {
            break;
        }
    }
    Formats::read(&mut body)
}
