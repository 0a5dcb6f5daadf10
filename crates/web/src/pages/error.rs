//! The page that a person sees instead of a problem document.

use askama::Template;

use crate::problem::Problem;

/// `error.html`
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
    request_id: &'a str,
    replica: &'a str,
}

impl<'a> ErrorPage<'a> {
    /// The page for this problem.
    pub fn new(problem: &'a Problem, request_id: &'a str, replica: &'a str) -> Self {
        let Problem { status, title, detail, .. } = problem;
        Self { status: *status, title, detail, request_id, replica }
    }
}
