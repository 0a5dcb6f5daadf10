//! An answer of the shop, read to its end.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `X-Served-By`: the replica.
    pub served_by: String,
    /// Whether it has a `Retry-After`.
    pub asks_to_retry: bool,
    /// Whether it is the answer to an earlier request with the same key (`Idempotency-Replayed`).
    pub is_replay: bool,
    /// From the request to the end of the answer.
    pub took: Duration,
    /// The body, `null` when it isn't JSON.
    pub body: Value,
    pub(super) cookie: Option<String>,
}

impl Answer {
    pub(in crate::shop) fn new<'a>(
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        took: Duration,
    ) -> Self {
        Self {
            status,
            served_by: header("X-Served-By").unwrap_or_default().to_owned(),
            asks_to_retry: header("Retry-After").is_some(),
            is_replay: header("Idempotency-Replayed").is_some(),
            took,
            body: serde_json::from_slice(body).unwrap_or_default(),
            cookie: header("Set-Cookie").and_then(value_of),
        }
    }
}

/// `notice=%7B…%7D; Path=/; …` → `{…}`
fn value_of(cookie: &str) -> Option<String> {
    let (_, value) = cookie.split(';').next()?.split_once('=')?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}
