//! One path with its handlers. GET answers HEAD too, and every other method gets 405 with a complete `Allow`
//! (RFC 9110, section 15.5.6), which actix-web's own resources leave out.

use std::time::Duration;

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, Resource, Responder, guard, web};
use flash_sale_core::limits::REQUEST_DEADLINE;

use crate::middleware::answer_in_time;
use crate::problem::Problem;

/// Begins the description of a path.
pub fn at(path: &str) -> Endpoint {
    Endpoint { resource: web::resource(path), allow: Vec::new(), deadline: REQUEST_DEADLINE }
}

/// A path and the methods it answers, within [`REQUEST_DEADLINE`].
pub struct Endpoint {
    resource: Resource,
    allow: Vec<&'static str>,
    deadline: Duration,
}

impl Endpoint {
    /// Answers GET and HEAD.
    pub fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let get_or_head = guard::Any(guard::Get()).or(guard::Head());
        self.resource = self.resource.route(web::route().guard(get_or_head).to(handler));
        self.allow.extend(["GET", "HEAD"]);
        self
    }

    /// Answers POST.
    pub fn post<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::post().to(handler));
        self.allow.push("POST");
        self
    }

    /// Answers within `deadline` instead.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl HttpServiceFactory for Endpoint {
    fn register(self, config: &mut AppService) {
        let allow = self.allow.join(", ");
        let refuse = move || {
            let problem = Problem::method_not_allowed(&allow);
            async move { problem.into_response() }
        };
        let deadline = self.deadline;
        let in_time = from_fn(move |request, next| answer_in_time(deadline, request, next));
        self.resource.default_service(web::to(refuse)).wrap(in_time).register(config);
    }
}
