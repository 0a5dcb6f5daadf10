//! The starter is the person or the command that started the lab. It hears how the start goes, and may end the lab.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use flash_sale_testbed::log_file;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::console;
use crate::control::messages::Event;
use crate::progress::{Progress, Stage};
use crate::signals::EndSignals;

/// The exit code of a program whose main thread panicked.
const PANICKED: i32 = 101;

/// Who has started the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// A person on the terminal, who hears everything to the end.
    Terminal,
    /// `lab up`, which hears everything through our standard output until the shop is open. If it ends before that, our
    /// standard input closes, and we stop.
    Pipes,
}

/// Tells each event to the starter.
pub(super) async fn tell(starter: Starter, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match (starter, &event) {
            (Starter::Pipes, _) => tell_starter(&event),
            (Starter::Terminal, Event::Line(line)) => console::line(line),
            (Starter::Terminal, Event::Open(url)) => {
                console::line(format_args!("The shop is open: {url} (Ctrl-C closes it)"))
            }
            (Starter::Terminal, Event::WithoutDatabase(message)) => {
                console::line(format_args!("{message} (Ctrl-C closes it)"))
            }
            (Starter::Terminal, _) => {}
        }
    }
}

/// Tells `lab up` through our standard output.
pub(super) fn tell_starter(event: &Event) {
    let line = serde_json::to_string(event).expect("an event is plain data");
    // The starter may be gone, and nobody else reads this.
    let _ = writeln!(io::stdout(), "{line}");
}

/// The message of `lab up` for a lab that ended without a last event. The lab was killed, or it panicked: then `log`
/// says where.
pub fn why_it_ended(ended: ExitStatus, log: &Path) -> String {
    let look = format!("Look at {}", log.display());
    if ended.code() != Some(PANICKED) {
        return format!("`lab serve`, which runs the shop, was killed while it started ({ended}). {look}");
    }
    let panic = panic_in(&log_file::tail(log, usize::MAX));
    let what = panic.map(|panic| format!(", at {panic}")).unwrap_or_default();
    format!(
        "`lab serve`, which runs the shop, panicked while it started{what}\nThis is a bug in `lab serve`, and not in \
         your code. {look}"
    )
}

/// The last panic in a log: "crates/lab/src/server.rs:143:47: attempt to subtract with overflow".
fn panic_in(log: &str) -> Option<String> {
    let (_, panic) = log.rsplit_once(" panicked at ")?;
    let mut lines = panic.lines();
    Some(format!("{} {}", lines.next()?, lines.next().unwrap_or_default()))
}

/// Stops the lab at the first signal that asks for it. For a lab in the background, the end of a terminal is no such
/// signal.
pub(super) fn stop_on_signals(starter: Starter, progress: &Arc<Progress>) -> io::Result<()> {
    let mut signals = EndSignals::listen()?;
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        loop {
            let is_hangup = signals.next().await == SignalKind::hangup();
            if starter == Starter::Terminal || !is_hangup {
                progress.set_stage(Stage::Stopping);
            }
        }
    });
    Ok(())
}

/// Stops the lab when its starter ends before the shop is open. It reads on a plain thread, because a thread of tokio
/// would keep the process from ending while it reads.
pub(super) fn stop_when_starter_ends(progress: &Arc<Progress>) {
    let progress = Arc::clone(progress);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        if progress.stage() == Stage::Starting {
            progress.say("the command that started this was stopped");
            progress.set_stage(Stage::Stopping);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_lab_that_panicked_is_told_from_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("lab.log");
        fs::write(
            &log,
            "[2026-11-26T09:25:32Z INFO  flash_sale_lab::progress] PostgreSQL: starting…\n\n\
             thread 'main' (4711) panicked at crates/lab/src/server.rs:143:47:\n\
             attempt to subtract with overflow\n\
             note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        )
        .unwrap();
        let look = format!("Look at {}", log.display());

        let panicked = why_it_ended(ExitStatus::from_raw(101 << 8), &log);
        let killed = why_it_ended(ExitStatus::from_raw(9), &log);

        assert_eq!(
            panicked,
            format!(
                "`lab serve`, which runs the shop, panicked while it started, at crates/lab/src/server.rs:143:47: \
                 attempt to subtract with overflow\nThis is a bug in `lab serve`, and not in your code. {look}"
            )
        );
        assert_eq!(
            killed,
            format!(
                "`lab serve`, which runs the shop, was killed while it started (signal: 9 (SIGKILL)). {look}"
            )
        );
    }

    #[test]
    fn a_real_panic_is_found_in_what_it_prints() {
        let program = std::env::current_exe().unwrap();
        let panicking = ["--ignored", "--exact", "server::starter::tests::a_panic", "--nocapture"];
        let output = std::process::Command::new(program).args(panicking).output().unwrap();

        let found = panic_in(&String::from_utf8_lossy(&output.stderr)).unwrap();

        assert!(found.contains("starter.rs:") && found.ends_with(": as it is printed"), "{found}");
    }

    #[test]
    #[ignore = "a helper of the test above"]
    fn a_panic() {
        panic!("as it is printed");
    }
}
