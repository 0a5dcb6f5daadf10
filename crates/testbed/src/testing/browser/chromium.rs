//! Chromium as a process that can't outlive the test.

use std::fs::{self, File};
use std::io::{Write, stderr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use flash_sale_core::environment::optional_text;
use serde_json::json;
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use super::devtools::Session;
use super::tab::Tab;
use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::testing::wait::wait_until;

/// Looked for in PATH, in this order. `chromium-browser` is last: on Ubuntu it only says how to install one.
const NAMES: [&str; 4] = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
const MAC_PROGRAMS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const SKIPPED: &str = "browser tests skipped: no Chromium found. To run them: apt-get install chromium";

/// No window, and no traffic of its own.
const FLAGS: [&str; 11] = [
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    // Containers often have only 64 MB of it.
    "--disable-dev-shm-usage",
    // So high that nothing scrolls between aiming and clicking.
    "--window-size=1280,2400",
];

/// Chromium reads commands from its file 3, and writes messages to its file 4. The shell opens the commands last. As soon
/// as we can open them too, both pipes are open.
const WITH_PIPES: &str = r#"exec "$@" 4>"$0/messages" 3<"$0/commands""#;

/// A running browser with a profile of its own. Process and profile end with this value, and with the test
/// process however that ends.
pub struct Chromium {
    session: Session,
    _process: Guarded,
}

impl Chromium {
    /// `None`, said once on the terminal, when this machine has no Chromium.
    ///
    /// # Panics
    /// When it is there and doesn't start, or when REQUIRE_BROWSER=1 and it isn't there.
    pub async fn start() -> Option<Self> {
        let Some(program) = find_program() else {
            let is_required = optional_text("REQUIRE_BROWSER").expect("UTF-8").as_deref() == Some("1");
            assert!(!is_required, "no Chromium found. REQUIRE_BROWSER=1 needs it: apt-get install chromium");
            say_skipped();
            return None;
        };
        Some(Self::start_program(&program).await)
    }

    /// Starts this program, which is a Chromium.
    ///
    /// # Panics
    /// When it doesn't start. The panic shows what the program said.
    pub async fn start_program(program: &Path) -> Self {
        let profile = tempfile::Builder::new().prefix("flash-sale-browser-").tempdir();
        let profile = profile.expect("a folder for temporary files").keep();
        // A file without a name: nothing is left behind, however the test ends.
        let log = tempfile::tempfile().expect("a folder for temporary files");
        let process = start_process(program, &profile, &log).await;
        let (commands, messages) = open_pipes(&profile).await;
        let session = Session::with_browser(program, commands, messages, log);
        session.command("Browser.getVersion", json!({})).await;
        Self { session, _process: process }
    }

    /// A new tab.
    ///
    /// # Panics
    /// When the browser has ended.
    pub async fn open_tab(&self) -> Tab {
        let target = self.session.command("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.session.command("Target.attachToTarget", attach).await;
        let id = attached["sessionId"].as_str().expect("the protocol says so").to_owned();
        Tab::new(self.session.with_tab(id)).await
    }
}

fn find_program() -> Option<PathBuf> {
    let path = optional_text("PATH").expect("UTF-8").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let in_path = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    in_path.chain(MAC_PROGRAMS.map(PathBuf::from)).find(|program| program.is_file())
}

/// Past the test runner, which shows what tests print only when they fail.
fn say_skipped() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| writeln!(stderr(), "{SKIPPED}").expect("the terminal takes a line"));
}

/// Starts `program` with two pipes in its profile.
async fn start_process(program: &Path, profile: &Path, log: &File) -> Guarded {
    let made = Command::new("mkfifo").args(["commands", "messages"]).current_dir(profile).status();
    assert!(made.expect("every system has mkfifo").success(), "no pipes in {}", profile.display());
    let mut flags = FLAGS.map(str::to_owned).to_vec();
    flags.push(format!("--user-data-dir={}", profile.display()));
    // Chromium's sandbox refuses to run as root. Who made the folder is who we are.
    if fs::metadata(profile).expect("just made").uid() == 0 {
        flags.push("--no-sandbox".to_owned());
    }
    let path = optional_text("PATH").expect("UTF-8").unwrap_or_default();
    GuardedCommand::new("/bin/sh")
        .args([Path::new("-c"), Path::new(WITH_PIPES), profile, program])
        .args(flags)
        .envs([("PATH", Path::new(&path)), ("HOME", profile)])
        .stop_with(Signal::TERM, Duration::from_secs(5))
        .remove_afterwards(profile)
        .start(log.try_clone().expect("a further file"))
        .await
        .expect("a process")
}

/// Our ends of the pipes.
async fn open_pipes(profile: &Path) -> (Sender, Receiver) {
    let messages = OpenOptions::new().open_receiver(profile.join("messages")).expect("just made");
    let mut commands = None;
    wait_until("Chromium's pipes are open", async || {
        // The system refuses while nobody is there who would read.
        commands = OpenOptions::new().open_sender(profile.join("commands")).ok();
        commands.is_some()
    })
    .await;
    (commands.expect("just waited for"), messages)
}
