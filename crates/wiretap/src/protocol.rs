//! Reads PostgreSQL's protocol along (PostgreSQL manual, chapter "Frontend/Backend Protocol"). Start with
//! [`framing`], which finds the messages, whatever the cuts between two reads.

pub mod answers;
pub mod bind;
pub mod framing;
pub mod requests;
pub mod sql;

#[cfg(test)]
mod tests;
