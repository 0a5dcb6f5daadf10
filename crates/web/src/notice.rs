//! What a form did, carried over the redirect to the page that shows it, once. It travels in a cookie, because
//! the page may be rendered by another replica than the one that took the form.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// The first eight digits of an id: enough for a person to tell orders apart.
pub fn short_id(id: Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}
