//! The id by which a request is found in the log.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use uuid::Uuid;

/// The header that carries the id, in a request and in its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer id from outside is replaced: it would fill the log.
const LONGEST_REQUEST_ID: usize = 128;

/// The request's id: the caller's, or a new one.
#[derive(Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The caller's id if it fits a line of the log, otherwise a new one.
    pub fn of(request: &ServiceRequest) -> Self {
        let from_caller = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let usable = from_caller.filter(|id| {
            (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        });
        Self(usable.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_that_fits_a_log_line_is_taken_over(id in "[!-~]{1,128}") {
            let request = TestRequest::default().insert_header((REQUEST_ID, &*id)).to_srv_request();

            prop_assert_eq!(RequestId::of(&request).0, id);
        }

        #[test]
        fn any_other_header_is_replaced(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let Ok(header) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            let request = TestRequest::default().insert_header((REQUEST_ID, header)).to_srv_request();

            let RequestId(id) = RequestId::of(&request);

            let fits = (1..=128).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
            prop_assert_eq!(id.as_bytes() == value, fits);
            prop_assert!(fits || id.parse::<Uuid>().is_ok());
        }
    }
}
