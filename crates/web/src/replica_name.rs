//! Which replica answers.

/// The replica's name. `server.rs` puts it where handlers and middlewares find it.
#[derive(Clone)]
pub struct ReplicaName(pub String);
