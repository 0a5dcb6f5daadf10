//! What holds for every request, one rule a file.

mod deadline;
mod error_answers;
mod known_host;
mod overload;
mod request_log;
mod same_origin;
mod whole_body;

pub use deadline::answer_in_time;
pub use error_answers::{KeptAnswer, PROBLEM_JSON, explain_errors};
pub use known_host::refuse_unknown_host;
pub use overload::refuse_overload;
pub use request_log::identify_and_log;
pub use same_origin::refuse_foreign_origin;
pub use whole_body::{Body, IsEnding, read_whole_body};
