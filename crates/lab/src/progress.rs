//! What a lab that starts or stops tells the commands that wait for it.

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::control::messages::Event;

/// How far the lab is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Not everything runs yet.
    #[default]
    Starting,
    /// The shop answers at this URL.
    Open(String),
    /// It was told to stop, or can't go on.
    Stopping,
    /// Everything has ended except the lab itself. The text is the reason, if that was a failure.
    Stopped(Option<String>),
}

#[derive(Clone, Debug, Default)]
struct State {
    lines: Vec<String>,
    stage: Stage,
}

/// All lines since the lab began, so that listeners who come late hear them too.
#[derive(Default)]
pub struct Progress(watch::Sender<State>);

impl Progress {
    /// Says a line to all who listen.
    pub fn say(&self, line: impl Into<String>) {
        let line = line.into();
        log::info!("{line}");
        self.0.send_modify(|state| state.lines.push(line));
    }

    /// Goes on to a later stage; an earlier one is ignored.
    pub fn set_stage(&self, stage: Stage) {
        let rank = |stage: &Stage| match stage {
            Stage::Starting => 0,
            Stage::Open(_) => 1,
            Stage::Stopping => 2,
            Stage::Stopped(_) => 3,
        };
        self.0.send_if_modified(|state| {
            let later = rank(&stage) > rank(&state.stage);
            if later {
                state.stage = stage;
            }
            later
        });
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.0.borrow().stage.clone()
    }

    /// How many lines were said.
    pub fn said(&self) -> usize {
        self.0.borrow().lines.len()
    }

    /// Hands on all lines after the first `heard`, until a stage is reached for which `is_end` is true. Returns that
    /// stage.
    pub async fn follow(
        &self,
        mut heard: usize,
        listener: &UnboundedSender<Event>,
        is_end: impl Fn(&Stage) -> bool,
    ) -> Stage {
        let mut states = self.0.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            for line in &state.lines[heard..] {
                // A listener that went away is no reason to stop.
                let _ = listener.send(Event::Line(line.clone()));
            }
            heard = state.lines.len();
            if is_end(&state.stage) || states.changed().await.is_err() {
                return state.stage;
            }
        }
    }

    /// Waits for a stage for which `is_end` is true.
    pub async fn wait_for(&self, is_end: impl Fn(&Stage) -> bool) {
        // This fails only when the sender is gone, and `self` is the sender.
        let _ = self.0.subscribe().wait_for(|state| is_end(&state.stage)).await;
    }
}
