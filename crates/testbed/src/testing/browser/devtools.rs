//! The Chrome DevTools Protocol: a session sends commands, and gets answers and events. Each message is a line of
//! JSON with a zero byte behind it. Messages go through two pipes, so that only this test can reach the browser.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A conversation with the browser itself, or with one of its tabs. All of a browser share its two pipes.
#[derive(Clone)]
pub struct Session {
    pipes: Arc<Pipes>,
    /// `None` for the browser itself.
    id: Option<String>,
}

/// Events of one kind, in the order in which the browser sent them.
pub struct Events(Arc<Mutex<Vec<Value>>>);

struct Pipes {
    /// Holds the pipe for a whole message.
    commands: tokio::sync::Mutex<Sender>,
    inbox: Arc<Mutex<Inbox>>,
    program: PathBuf,
    log: File,
}

/// Where the messages of the browser go.
#[derive(Default)]
struct Inbox {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Message>>,
    kept: Vec<Kept>,
    has_ended: bool,
}

struct Kept {
    session: Option<String>,
    method: String,
    events: Arc<Mutex<Vec<Value>>>,
}

/// An answer (with an `id`) or an event (with a `method`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: Option<u64>,
    session_id: Option<String>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<Value>,
}

impl Session {
    /// With the running `program`, which reads from `commands` and writes to `messages`. Its output goes to `log`.
    pub fn with_browser(program: &Path, commands: Sender, messages: Receiver, log: File) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        tokio::spawn(deliver_all(messages, Arc::clone(&inbox)));
        let commands = tokio::sync::Mutex::new(commands);
        let pipes = Pipes { commands, inbox, program: program.to_owned(), log };
        Self { pipes: Arc::new(pipes), id: None }
    }

    /// With a tab. The browser gave its session this id.
    pub fn with_tab(&self, id: String) -> Self {
        Self { pipes: Arc::clone(&self.pipes), id: Some(id) }
    }

    /// Sends a command and returns its result.
    ///
    /// # Panics
    /// When the browser refuses the command, doesn't answer or has ended.
    pub async fn command(&self, method: &str, parameters: Value) -> Value {
        self.try_command(method, parameters).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Sends a command and returns its result.
    ///
    /// # Errors
    /// When the browser refuses the command, or doesn't answer it within 20 seconds.
    ///
    /// # Panics
    /// When the browser has ended.
    pub async fn try_command(&self, method: &str, parameters: Value) -> Result<Value, String> {
        let (id, answer) = self.pipes.inbox.lock().expect_answer();
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.id {
            command["sessionId"] = json!(session);
        }
        let exchange = async {
            // When the pipe is broken, no answer comes either.
            let _ = self.pipes.commands.lock().await.write_all(format!("{command}\0").as_bytes()).await;
            answer.await
        };
        let Ok(answer) = timeout(ANSWER_LIMIT, exchange).await else {
            return Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
        };
        let Ok(answer) = answer else { self.pipes.panic_with_log() };
        answer.error.map_or(Ok(answer.result), |error| Err(error.to_string()))
    }

    /// Keeps the session's events of one kind from now on. Many kinds must first be enabled by a command.
    pub fn keep(&self, method: &str) -> Events {
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Kept { session: self.id.clone(), method: method.to_owned(), events: Arc::clone(&events) };
        self.pipes.inbox.lock().kept.push(kept);
        Events(events)
    }
}

impl Events {
    /// The parameters of the events that have come since the last call. Whatever the page did before the last
    /// answer to a command is among them: the browser sends both through one pipe, in order.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Pipes {
    fn panic_with_log(&self) -> ! {
        let mut log = vec![0; self.log.metadata().expect("it is open").len() as usize];
        // Doesn't seek: the browser writes through the same open file.
        self.log.read_exact_at(&mut log, 0).expect("nobody shortens it");
        panic!("{} has ended. It said:\n{}", self.program.display(), String::from_utf8_lossy(&log));
    }
}

impl Inbox {
    /// The id for a new command, and its answer. There is none when the browser has ended.
    fn expect_answer(&mut self) -> (u64, oneshot::Receiver<Message>) {
        let (sender, answer) = oneshot::channel();
        self.last_id += 1;
        if !self.has_ended {
            self.waiting.insert(self.last_id, sender);
        }
        (self.last_id, answer)
    }

    fn deliver(&mut self, message: Message) {
        if let Some(waiting) = message.id.and_then(|id| self.waiting.remove(&id)) {
            // Nobody may wait any more.
            let _ = waiting.send(message);
        } else if let Some(method) = message.method {
            let is_wanted = |kept: &&Kept| kept.method == method && kept.session == message.session_id;
            for kept in self.kept.iter().filter(is_wanted) {
                kept.events.lock().push(message.params.clone());
            }
        }
    }
}

/// Runs until the browser ends, or sends what isn't a message.
async fn deliver_all(messages: Receiver, inbox: Arc<Mutex<Inbox>>) {
    let mut messages = BufReader::new(messages).split(0);
    while let Ok(Some(message)) = messages.next_segment().await {
        let Ok(message) = serde_json::from_slice(&message) else { break };
        inbox.lock().deliver(message);
    }
    let mut inbox = inbox.lock();
    inbox.has_ended = true;
    inbox.waiting.clear();
}
