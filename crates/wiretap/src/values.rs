//! Makes values readable that passed the wire as text or as PostgreSQL's own bytes.

use bytes::Buf;
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::types;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::protocol::answers::with_library;
use crate::protocol::bind::{BoundValue, Format, Formats, take_value};
use crate::protocol::sql::cut;

/// A longer text is cut.
const LONGEST_TEXT: usize = 256;
/// Of an array, so many elements are shown.
const SHOWN_ELEMENTS: usize = 16;

/// A value as text. `None`: NULL.
pub fn text(type_of_it: u32, value: BoundValue<'_>) -> Option<String> {
    match json(type_of_it, value) {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The first row, with the names of its columns.
pub fn row(columns: &[u8], row: &[u8], formats: Option<&Formats>) -> Option<Map<String, Value>> {
    let Some(Message::RowDescription(columns)) = with_library(b'T', columns) else { return None };
    let (mut columns, mut rest) = (columns.fields(), row);
    let mut read = Map::new();
    for index in 0..rest.try_get_u16().ok()? {
        let (Ok(Some(column)), Ok(Some(value))) = (columns.next(), take_value(&mut rest)) else { break };
        // Only after a simple Query, the columns say how they are written.
        let format = match (formats, column.format()) {
            (Some(formats), _) => formats.of(index.into()),
            (None, 1) => Format::Binary,
            (None, _) => Format::Text,
        };
        read.insert(column.name().to_owned(), json(column.type_oid(), (format, value)));
    }
    Some(read)
}

fn json(type_of_it: u32, (format, value): BoundValue<'_>) -> Value {
    let Some(bytes) = value else { return Value::Null };
    let read = match format {
        Format::Text => Some(written(type_of_it, &String::from_utf8_lossy(bytes))),
        Format::Binary => binary(type_of_it, bytes),
    };
    match read {
        Some(Value::String(text)) => Value::String(cut(text, LONGEST_TEXT)),
        Some(value) => value,
        None => Value::String(format!("[{} bytes of type {type_of_it}]", bytes.len())),
    }
}

fn written(type_of_it: u32, text: &str) -> Value {
    match type_of_it {
        oid::BOOL => Value::Bool(text == "t"),
        oid::INT2 | oid::INT4 | oid::INT8 => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

fn binary(type_of_it: u32, bytes: &[u8]) -> Option<Value> {
    Some(match type_of_it {
        oid::BOOL => types::bool_from_sql(bytes).ok()?.into(),
        oid::INT2 => types::int2_from_sql(bytes).ok()?.into(),
        oid::INT4 => types::int4_from_sql(bytes).ok()?.into(),
        oid::INT8 => types::int8_from_sql(bytes).ok()?.into(),
        oid::FLOAT4 => types::float4_from_sql(bytes).ok()?.into(),
        oid::FLOAT8 => types::float8_from_sql(bytes).ok()?.into(),
        oid::UUID => Uuid::from_bytes(types::uuid_from_sql(bytes).ok()?).to_string().into(),
        oid::NUMERIC => numeric(bytes)?.into(),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => moment(types::timestamp_from_sql(bytes).ok()?).into(),
        oid::DATE => date(types::date_from_sql(bytes).ok()?)?.into(),
        oid::JSONB => str::from_utf8(bytes.strip_prefix(&[1])?).ok()?.into(),
        oid::VOID => "".into(),
        type_of_it if oid::TEXTS.contains(&type_of_it) => types::text_from_sql(bytes).ok()?.into(),
        type_of_it if oid::ARRAYS.contains(&type_of_it) => array(bytes)?.into(),
        _ => return None,
    })
}

/// Digits of 10,000 each, the power of the first one, the sign, and how many decimals to show.
fn numeric(mut bytes: &[u8]) -> Option<String> {
    let (count, weight) = (bytes.try_get_u16().ok()?, bytes.try_get_i16().ok()?);
    let (sign, decimals) = (bytes.try_get_u16().ok()?, bytes.try_get_u16().ok()?);
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        _ => return None,
    };
    if bytes.len() != usize::from(count) * 2 || weight.unsigned_abs() > 64 || decimals > 256 {
        return None;
    }
    let digits: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let digit = |power: i16| usize::try_from(weight - power).ok().and_then(|at| digits.get(at)).unwrap_or(&0);
    let whole: String = (0..=weight).rev().map(|power| format!("{:04}", digit(power))).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if decimals == 0 {
        return Some(format!("{sign}{whole}"));
    }
    let groups = i16::try_from(decimals.div_ceil(4)).ok()?;
    let fraction: String = (1..=groups).map(|power| format!("{:04}", digit(-power))).collect();
    Some(format!("{sign}{whole}.{}", fraction.get(..usize::from(decimals))?))
}

/// PostgreSQL counts microseconds from the beginning of 2000.
fn moment(microseconds: i64) -> String {
    let counted = DateTime::<Utc>::UNIX_EPOCH
        .checked_add_days(Days::new(10_957))
        .and_then(|epoch| epoch.checked_add_signed(TimeDelta::microseconds(microseconds)));
    match (counted, microseconds) {
        (_, i64::MAX) => "infinity".to_owned(),
        (Some(moment), _) => moment.to_rfc3339_opts(SecondsFormat::Micros, true),
        (None, _) => "-infinity".to_owned(),
    }
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    Some(epoch.checked_add_signed(TimeDelta::days(days.into()))?.to_string())
}

fn array(bytes: &[u8]) -> Option<String> {
    let array = types::array_from_sql(bytes).ok()?;
    let (element, mut values) = (array.element_type(), array.values());
    let mut shown = Vec::new();
    while let Some(value) = values.next().ok()? {
        if shown.len() == SHOWN_ELEMENTS {
            shown.push("…".to_owned());
            break;
        }
        shown.push(text(element, (Format::Binary, value)).unwrap_or_else(|| "NULL".to_owned()));
    }
    Some(format!("{{{}}}", shown.join(",")))
}

/// The numbers of PostgreSQL's own types (`pg_type.dat`).
mod oid {
    pub const BOOL: u32 = 16;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
    pub const VOID: u32 = 2278;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
    /// char, name, text, json, unknown, bpchar, varchar.
    pub const TEXTS: [u32; 7] = [18, 19, 25, 114, 705, 1042, 1043];
    /// bool, int2, int4, text, varchar, int8, float4, float8, timestamptz, numeric, uuid.
    pub const ARRAYS: [u32; 11] = [1000, 1005, 1007, 1009, 1015, 1016, 1021, 1022, 1185, 1231, 2951];
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_numeric_is_written_as_psql_writes_it() {
        let numeric_of = |words: &[u16]| {
            numeric(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>()).unwrap()
        };

        assert_eq!(numeric_of(&[2, 0, 0, 2, 42, 5000]), "42.50");
        assert_eq!(numeric_of(&[0, 0, 0, 0]), "0");
        assert_eq!(numeric_of(&[1, 1, 0x4000, 0, 12]), "-120000");
        assert_eq!(numeric_of(&[1, (-1_i16).cast_unsigned(), 0, 3, 10]), "0.001");
        assert_eq!(numeric_of(&[3, 1, 0, 1, 1, 2, 3000]), "10002.3");
        assert_eq!(numeric_of(&[0, 0, 0xC000, 0]), "NaN");
    }

    #[test]
    fn a_moment_is_counted_from_the_beginning_of_2000() {
        assert_eq!(moment(0), "2000-01-01T00:00:00.000000Z");
        assert_eq!(moment(i64::MAX), "infinity");
        assert_eq!(moment(i64::MIN), "-infinity");
        assert_eq!(date(366).unwrap(), "2001-01-01");
    }

    proptest! {
        #[test]
        fn any_bytes_are_made_readable_without_a_panic(
            type_of_it in prop::sample::select(
                vec![16, 20, 21, 23, 25, 700, 701, 1082, 1114, 1184, 1700, 2278, 2950, 3802, 2951, 1007, 17, 0]
            ),
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = text(type_of_it, (Format::Binary, Some(&bytes)));
            let _ = text(type_of_it, (Format::Text, Some(&bytes)));
            let _ = row(&bytes, &bytes, None);
        }
    }
}
