//! The header `Idempotency-Key`, read at the door (draft-ietf-httpapi-idempotency-key-header, section 2.1).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest};
use flash_sale_services::IdempotencyKey;

use crate::problem::Problem;

/// The header's name.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The request's key, if it has one. 400 when it can't be read.
pub struct KeyHeader(pub Option<IdempotencyKey>);

impl FromRequest for KeyHeader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut headers = request.headers().get_all(IDEMPOTENCY_KEY);
        let key = match (headers.next(), headers.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match parse(value.as_bytes()) {
                Some(key) => Ok(Some(key)),
                None => Err(malformed()),
            },
            (Some(_), Some(_)) => Err(malformed()),
        };
        ready(key.map(Self))
    }
}

fn malformed() -> Problem {
    let detail = "Idempotency-Key: expected one string of 1 to 255 characters, as \"8e03978e-40d5\"";
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

/// A structured-field string (RFC 9651, section 3.3.3), or its content without the quotes where that is a
/// token.
fn parse(value: &[u8]) -> Option<IdempotencyKey> {
    let value = value.trim_ascii();
    let text = match value.strip_prefix(b"\"") {
        Some(rest) => unquote(rest.strip_suffix(b"\"")?)?,
        None => {
            value.iter().map(|byte| is_token(*byte).then_some(char::from(*byte))).collect::<Option<_>>()?
        }
    };
    IdempotencyKey::new(text)
}

/// The text between the quotes: visible ASCII and spaces. `\"` and `\\` stand for a quote and a backslash.
fn unquote(quoted: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next()? {
                escaped @ (b'"' | b'\\') => text.push(char::from(*escaped)),
                _ => return None,
            },
            b'"' => return None,
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => return None,
        }
    }
    Some(text)
}

/// RFC 9651, section 3.3.4. A digit is also allowed at the beginning, because many UUIDs begin with one.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_and_tokens_are_read() {
        let longest = "k".repeat(255);
        for (header, key) in [
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            ("  \"padded\"\t", "padded"),
            (r#"" ""#, " "),
            (r#""a \"b\" \\ c""#, r#"a "b" \ c"#),
            (r#""a,b;c=d""#, "a,b;c=d"),
            ("urn:uuid:1/2", "urn:uuid:1/2"),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
            (&format!("\"{}\"", r"\\".repeat(255)), &r"\".repeat(255)),
        ] {
            assert_eq!(parse(header.as_bytes()), IdempotencyKey::new(key.to_owned()), "{header}");
            assert!(parse(header.as_bytes()).is_some(), "{header}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = "k".repeat(256);
        for header in [
            "",
            " ",
            r#""""#,
            r#"""#,
            r#""open"#,
            r#"closed""#,
            r#""a" b"#,
            r#""a"b""#,
            r#""a";p=1"#,
            r#""a", "b""#,
            r#""\a""#,
            r#""\""#,
            "two words",
            "a,b",
            "a=b",
            "\"t\tab\"",
            "\"caf\u{e9}\"",
            "caf\u{e9}",
            &too_long,
            &format!("\"{too_long}\""),
        ] {
            assert_eq!(parse(header.as_bytes()), None, "{header}");
        }
    }

    fn quoted(text: &str) -> String {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_unquoted(text in "[ -~]{1,255}") {
            prop_assert_eq!(parse(quoted(&text).as_bytes()), IdempotencyKey::new(text));
        }

        #[test]
        fn a_token_is_the_same_key_with_and_without_quotes(text in "[A-Za-z0-9!#$%&'*+.^_`|~:/-]{1,255}") {
            prop_assert_eq!(parse(text.as_bytes()), IdempotencyKey::new(text.clone()));
            prop_assert_eq!(parse(quoted(&text).as_bytes()), IdempotencyKey::new(text));
        }

        /// The document's pattern is the one rule, seen from outside.
        #[test]
        fn any_bytes_are_a_key_or_refused(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = value.trim_ascii();
            let is_quoted = text.len() > 2 && text.starts_with(b"\"") && text.ends_with(b"\"");
            let is_bare = !text.is_empty() && text.iter().all(|byte| is_token(*byte));
            if parse(&value).is_some() {
                prop_assert!((is_quoted || is_bare) && text.iter().all(|byte| (b' '..=b'~').contains(byte)));
            } else {
                prop_assert!(!is_bare);
            }
        }

        #[test]
        fn no_string_is_a_key_when_it_is_too_long(text in "[ -~]{256,300}") {
            prop_assert_eq!(parse(quoted(&text).as_bytes()), None);
        }
    }
}
