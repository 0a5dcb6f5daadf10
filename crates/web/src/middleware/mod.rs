//! What holds for every request, one rule a file.

mod error_answers;
mod request_log;
mod same_origin;
mod security_headers;
mod whole_body;

pub use error_answers::{KeptAnswer, PROBLEM_JSON, explain_errors};
pub use request_log::{RequestId, identify_and_log};
pub use same_origin::refuse_foreign_origin;
pub use security_headers::set_security_headers;
pub use whole_body::{Body, IsEnding, UnreadBody, read_whole_body};
