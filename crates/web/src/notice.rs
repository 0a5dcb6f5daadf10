//! Carries what a form did over the redirect to the page, which shows it once. It travels in a cookie, because the page
//! may come from another replica than the form's answer.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};

use crate::checkout::Attempt;

const COOKIE_NAME: &str = "notice";

/// What a form did.
#[derive(Debug, Serialize, Deserialize)]
pub enum Notice {
    /// Buy Now: each request of the checkout client.
    Bought(Vec<Attempt>),
    /// Reset.
    WasReset {
        /// Orders that are gone.
        deleted_orders: u64,
        /// Copies in stock now.
        quantity: i32,
    },
}

impl Notice {
    /// The notice that came with the request. One that can't be read is none.
    pub fn from_request(request: &HttpRequest) -> Option<Self> {
        serde_json::from_str(request.cookie(COOKIE_NAME)?.value()).ok()
    }

    /// 303 to the shop's page, which shows this notice.
    pub fn redirect(&self) -> HttpResponse {
        let json = serde_json::to_string(self).expect("numbers and strings always become JSON");
        let cookie = cookie(json).max_age(Duration::minutes(1)).finish();
        HttpResponse::SeeOther()
            .insert_header((header::LOCATION, "/"))
            .insert_header((header::SET_COOKIE, cookie.encoded().to_string()))
            .finish()
    }

    /// Takes the notice back, so that it shows once.
    pub fn forget(response: &mut HttpResponseBuilder) {
        let mut cookie = cookie(String::new()).finish();
        cookie.make_removal();
        response.insert_header((header::SET_COOKIE, cookie.to_string()));
    }
}

fn cookie(value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(COOKIE_NAME, value).path("/").http_only(true).same_site(SameSite::Strict)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    /// What the browser sends back of a `Set-Cookie`.
    fn request(cookie: &str) -> HttpRequest {
        let pair = cookie.split(';').next().unwrap_or_default().to_owned();
        TestRequest::default().insert_header((header::COOKIE, pair)).to_http_request()
    }

    fn attempt() -> impl Strategy<Value = Attempt> {
        let text = any::<String>;
        (any::<u64>(), any::<u64>(), text(), text(), text()).prop_map(
            |(sent_at_ms, took_ms, status, answer, served_by)| Attempt {
                sent_at_ms,
                took_ms,
                status,
                answer,
                served_by,
            },
        )
    }

    proptest! {
        #[test]
        fn a_notice_comes_back_from_its_cookie(
            attempts in prop::collection::vec(attempt(), 0..3),
            deleted_orders in any::<u64>(),
            quantity in any::<i32>(),
        ) {
            for notice in [Notice::Bought(attempts), Notice::WasReset { deleted_orders, quantity }] {
                let response = notice.redirect();
                let cookie = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();

                let read = Notice::from_request(&request(cookie));

                prop_assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&notice).unwrap());
            }
        }

        #[test]
        fn any_other_cookie_is_no_notice(value in r"[^;\p{Cc}]{0,60}", name in "notice|[a-z]{0,8}") {
            let cookie = format!("{name}={value}");
            prop_assert!(Notice::from_request(&request(&cookie)).is_none());
        }
    }
}
