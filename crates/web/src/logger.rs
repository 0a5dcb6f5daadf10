//! The lines of the log. Each line that a request causes ends with the replica, the request's id (for a batch: all ids)
//! and the product, if it is known, so that the line can be found. This end is added here, so that no line can lack it.
//! Panics are lines like others, and so are statements (`logger/statement.rs`).
//!
//! A text that a client has sent is written as a [`ClientText`], which is cut if it is long. Any other line that is too
//! long is cut here.

mod cut;
mod statement;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::panic;

use env_logger::{Builder, Target};
use flash_sale_services::begin;
use flash_sale_services::log_context::LogContext;
use log::{Log, Metadata, Record, SetLoggerError};

use cut::Cut;

/// Bytes of a client's text. The shop's longest path has a quarter of them.
const LONGEST_PART: usize = 200;
/// Bytes of a whole message: room for the inner half of a backtrace.
const LONGEST_MESSAGE: usize = 16 * 1024;

/// A client's text for a line of the log. A long one is cut.
pub struct ClientText<T>(pub T);

impl<T: fmt::Display> fmt::Display for ClientText<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cut(&self.0, LONGEST_PART).fmt(formatter)
    }
}

struct Logger {
    lines: env_logger::Logger,
    replica: String,
}

/// Lets this process log to `target`. `filter` says what is logged, in env_logger's syntax, and `replica` is this
/// replica's name.
///
/// # Errors
/// When something else logs already.
pub fn start(filter: &str, replica: &str, target: Target) -> Result<(), SetLoggerError> {
    let mut lines = Builder::new();
    lines.parse_filters(filter).format_timestamp_millis().format_target(false).target(target);
    let logger = Logger { lines: lines.build(), replica: replica.to_owned() };
    log::set_max_level(logger.lines.filter());
    log::set_boxed_logger(Box::new(logger))?;
    log_panics();
    Ok(())
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if record.target() == statement::TARGET
            && let Some(statement) = statement::line(&record.args().to_string())
        {
            begin::say();
            return self.write(record, format_args!("{statement}"));
        }
        self.write(record, *record.args());
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

impl Logger {
    /// Writes `message` in place of the record's own, with its replica, requests and product.
    fn write(&self, record: &Record<'_>, message: fmt::Arguments<'_>) {
        let (Self { lines, replica }, context) = (self, LogContext::current());
        let message = Cut(message, LONGEST_MESSAGE);
        let mut line = Record::builder();
        line.metadata(record.metadata().clone());
        if context.is_empty() {
            return lines.log(&line.args(format_args!("{message}")).build());
        }
        lines.log(&line.args(format_args!("{message} ({replica}, {context})")).build());
    }
}

/// A panic is logged where it happens, before the stack is unwound, so within the context of its request.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        log::error!("{panic}");
        // Only if RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            log::error!("{backtrace}");
        }
    }));
}
