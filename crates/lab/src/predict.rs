//! `make predict`: what one purchase shows of two. [`report`] says it, as text and as JSON.

pub mod report;
