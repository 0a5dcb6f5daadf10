//! The query string, read at the door.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The query string, parsed. Parameters that `T` doesn't have are ignored; 422 names the one that is wrong.
pub struct QueryString<T>(pub T);

impl<T: DeserializeOwned> FromRequest for QueryString<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(QueryString))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
        .map_err(|error| Problem::unparsable("query", &error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Page {
        limit: Option<u64>,
        before: Option<Uuid>,
    }

    proptest! {
        #[test]
        fn what_is_written_into_a_query_is_read_out_of_it(
            limit in any::<u64>(),
            before in any::<u128>().prop_map(Uuid::from_u128),
            other in any::<String>(),
        ) {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("other", &other)
                .append_pair("limit", &limit.to_string())
                .append_pair("before", &before.to_string())
                .finish();

            let page: Page = parse(&query).unwrap();

            prop_assert_eq!((page.limit, page.before), (Some(limit), Some(before)));
        }

        #[test]
        fn any_text_is_a_query_or_422_with_the_parameter(name in "limit|before", text in any::<String>()) {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &text).finish();

            match parse::<Page>(&query) {
                Ok(page) => {
                    prop_assert!(page.limit == text.parse().ok() || page.before == text.parse().ok());
                }
                Err(problem) => {
                    prop_assert_eq!(problem.status, 422);
                    prop_assert_eq!(problem.errors[0].loc.clone(), ["query".to_owned(), name]);
                }
            }
        }

        #[test]
        fn any_query_is_read_or_422(query in "([a-z%=&+;]|%[0-9a-f]{2}|limit|before|.){0,40}") {
            if let Err(problem) = parse::<Page>(&query) {
                prop_assert_eq!(problem.status, 422);
            }
        }
    }
}
