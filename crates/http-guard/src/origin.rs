//! Another site's page must not change anything in a visitor's name. Browsers say where a request comes from;
//! programs don't, and may do as they like.

use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

/// Whether a request with these headers comes from another origin than its own host's (Fetch standard, `Origin` and
/// `Sec-Fetch-Site`).
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("Sec-Fetch-Site");
    if sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return true;
    }
    // A browser sends one. Of several, all must be ours: who knows which of them somebody else believes.
    let mut origins = headers.get_all(ORIGIN);
    origins.any(|origin| !is_of(origin, headers.get(HOST)))
}

fn is_of(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    match origin.split_once("://") {
        Some(("http" | "https", authority)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(origin: &[u8], host: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_bytes(origin).ok()?);
        headers.insert(HOST, HeaderValue::from_bytes(host).ok()?);
        Some(headers)
    }

    proptest! {
        #[test]
        fn the_servers_own_origin_is_not_foreign(scheme in "https?", host in "[a-z0-9.-]{1,30}(:[0-9]{1,5})?") {
            let origin = format!("{scheme}://{host}");

            prop_assert!(!is_foreign(&headers(origin.as_bytes(), host.as_bytes()).unwrap()));
            prop_assert!(!is_foreign(&headers(origin.as_bytes(), host.to_uppercase().as_bytes()).unwrap()));
        }

        #[test]
        fn any_other_origin_is_foreign(
            origin in "(https?://)?[a-z]{1,3}(:[0-9])?(/|@[a-z]{1,3}|\\.)?",
            host in "[a-z]{1,3}(:[0-9])?",
        ) {
            let is_own = origin == format!("http://{host}") || origin == format!("https://{host}");

            prop_assert_eq!(is_foreign(&headers(origin.as_bytes(), host.as_bytes()).unwrap()), !is_own);
        }

        #[test]
        fn bytes_that_are_no_origin_are_foreign(
            origin in prop::collection::vec(any::<u8>(), 0..30),
            host in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            if let Some(headers) = headers(&origin, &host) {
                prop_assert!(is_foreign(&headers));
            }
        }
    }
}
