//! The wire between the replicas and PostgreSQL. What passes it is read along, and no byte is changed. Start with
//! [`trace`]: what is known of a transaction.

pub mod trace;
