//! What is said of arguments that a command doesn't know.

use std::process::ExitCode;

use super::{NOT_JUDGED, check, explore, predict};
use crate::console;

/// Prints clap's message: help, or what is wrong with the arguments. Graders, who have asked for JSON, get an object.
pub fn tell_usage(usage: &clap::Error) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if usage.use_stderr() && arguments.iter().any(|given| given == "--json") {
        let reason = usage.to_string();
        let reason = reason.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let reason = anyhow::Error::msg(reason);
        match arguments.first().and_then(|first| first.to_str()) {
            Some("check") => return check::tell_error(&reason, true),
            Some("predict") => return predict::tell_error(&reason, true),
            Some("explore" | "bench") => return explore::tell_error(&reason, true),
            _ => {}
        }
    }
    console::note(usage.print());
    ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(NOT_JUDGED))
}
