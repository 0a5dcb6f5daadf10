//! Chromium as a process that can't outlive the test, and the connection that drives it (Chrome DevTools
//! Protocol).

use std::fs::{self, File};
use std::io::{Write, stderr};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use chromiumoxide::Browser;
use chromiumoxide::error::CdpError;
use chromiumoxide::handler::HandlerConfig;
use flash_sale_core::environment::optional_text;
use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal};
use flash_sale_testbed::testing::wait_until;
use futures::StreamExt;
use parking_lot::Mutex;

use crate::tab::Tab;

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
    "--remote-debugging-port=0",
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

/// A running browser with a profile of its own. Process and profile end with this value, and with the test
/// process however that ends.
pub struct Chromium {
    browser: Browser,
    /// Messages that the connection could not read: events that no test gets to see.
    unreadable: Arc<Mutex<Vec<String>>>,
    _process: Guarded,
}

impl Chromium {
    /// `None`, said once on the terminal, when this machine has no Chromium.
    ///
    /// # Panics
    /// When it is there and doesn't start, or when REQUIRE_BROWSER=1 and it isn't there.
    pub async fn start() -> Option<Self> {
        let Some(program) = find_program() else {
            let is_required = optional_text("REQUIRE_BROWSER").unwrap().as_deref() == Some("1");
            assert!(!is_required, "no Chromium found. REQUIRE_BROWSER=1 needs it: apt-get install chromium");
            say_skipped();
            return None;
        };
        let profile = tempfile::Builder::new().prefix("flash-sale-browser-").tempdir().unwrap().keep();
        let (process, url) = start_process(&program, &profile).await;

        let config = HandlerConfig {
            ignore_invalid_messages: false,
            viewport: None,
            request_timeout: Duration::from_secs(10),
            ..HandlerConfig::default()
        };
        let (browser, mut handler) = Browser::connect_with_config(url, config).await.unwrap();
        let unreadable = Arc::new(Mutex::new(Vec::new()));
        let messages = Arc::clone(&unreadable);
        tokio::spawn(async move {
            while let Some(handled) = handler.next().await {
                if let Err(CdpError::InvalidMessage(message, _)) = handled {
                    messages.lock().push(message);
                }
            }
        });
        Some(Self { browser, unreadable, _process: process })
    }

    /// A new tab.
    pub async fn open_tab(&self) -> Tab {
        Tab::new(self.browser.new_page("about:blank").await.unwrap(), Arc::clone(&self.unreadable))
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

/// Starts it, and returns it once it listens, and where.
async fn start_process(program: &Path, profile: &Path) -> (Guarded, String) {
    let mut flags = FLAGS.map(str::to_owned).to_vec();
    flags.push(format!("--user-data-dir={}", profile.display()));
    // Chromium's sandbox refuses to run as root. Who made the folder is who we are.
    if fs::metadata(profile).unwrap().uid() == 0 {
        flags.push("--no-sandbox".to_owned());
    }
    let path = optional_text("PATH").expect("UTF-8").unwrap_or_default();
    // A file without a name: nothing is left behind, however the test ends.
    let log = tempfile::tempfile().unwrap();
    let mut process = GuardedCommand::new(program)
        .args(flags)
        .envs([("PATH", Path::new(&path)), ("HOME", profile)])
        .stop_with(Signal::TERM, Duration::from_secs(5))
        .remove_afterwards(profile)
        .start(log.try_clone().unwrap())
        .await
        .unwrap();

    let mut url = None;
    wait_until("Chromium listens", async || {
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none(), "{} did not start:\n{}", program.display(), read_from_start(&log));
        url = debugging_url(profile);
        url.is_some()
    })
    .await;
    (process, url.expect("just waited for"))
}

/// Chromium writes its port and its path into a file once it listens.
fn debugging_url(profile: &Path) -> Option<String> {
    let file = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
    let (port, path) = file.trim().split_once('\n')?;
    Some(format!("ws://127.0.0.1:{port}{path}"))
}

/// Not by seeking: the process writes through the same open file.
fn read_from_start(log: &File) -> String {
    let mut bytes = vec![0; log.metadata().unwrap().len() as usize];
    log.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
