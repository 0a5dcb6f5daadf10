//! Whoever started the lab: hears how it goes, and may end it.

use std::io::{self, Read, Write};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::control::Event;
use crate::progress::{Progress, Stage};

/// Who hears how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// A person, on the terminal, to the end.
    Terminal,
    /// `lab up`, through our standard output, until the shop is open. When it ends before that, its end of
    /// our standard input closes, and we stop.
    Pipes,
}

/// Tells each event to the starter.
pub(super) async fn tell(starter: Starter, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match (starter, &event) {
            (Starter::Pipes, _) => tell_starter(&event),
            (Starter::Terminal, Event::Line(line)) => println!("{line}"),
            (Starter::Terminal, Event::Open(url)) => println!("The shop is open: {url} (Ctrl-C closes it)"),
            (Starter::Terminal, _) => {}
        }
    }
}

/// Tells `lab up` through our standard output.
pub(super) fn tell_starter(event: &Event) {
    let line = serde_json::to_string(event).expect("an event is plain data");
    // It may be gone, and nobody else reads this.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Stops the lab at the first Ctrl-C or SIGTERM.
pub(super) fn stop_on_signals(progress: &Arc<Progress>) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // The terminal that started us may be closed.
    let mut hangup = signal(SignalKind::hangup())?;
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => progress.set_stage(Stage::Stopping),
                _ = terminate.recv() => progress.set_stage(Stage::Stopping),
                _ = hangup.recv() => {}
            }
        }
    });
    Ok(())
}

/// Stops the lab when its starter ends before the shop is open. On a plain thread: tokio's own would keep the process from ending while it reads.
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
