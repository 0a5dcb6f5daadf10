//! The whole lab, as a person starts and stops it: real processes, in a project folder for each test.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod accessibility;
mod addresses;
mod agreement;
mod attacker;
mod bench;
mod built;
mod check;
mod closed_pipes;
mod dashboard;
mod dashboard_browser;
mod database;
mod distance;
mod drill;
mod endings;
mod environment;
mod explore;
mod failures;
mod growth;
mod hints;
mod leaving_drill;
mod life;
mod local_users;
mod long_logs;
mod make;
mod messages;
mod neighbours;
mod newcomers;
mod odd_shops;
mod predict;
mod race;
mod replicas;
mod security;
mod siege;
mod slots;
mod step;
mod timeline;
mod transcripts;
mod umasks;
mod watching;
mod wire;
mod without_database;

use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use flash_sale_lab::control::last_event;
use flash_sale_lab::control::messages::{Event, Request};
use flash_sale_lab::project::{CONTROL_SOCKET, LAB_LOG};
use flash_sale_testbed::shop_settings::OF_ONE_SHOP;
use flash_sale_testbed::testing::{AtTheEnd, TestDatabase, wait_until, write_program};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::Command;

const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// The stand-in for cargo. The real cargo has built this test and its programs. The stand-in writes down each build,
/// waits while it is told to, and finds an error in code that holds the word "mistake".
const CARGO: &str = r#"#!/bin/sh
project=${0%/programs/cargo}
echo "$*" >> "$project/builds"
while [ -e "$project/hold" ]; do sleep 0.01; done
if grep -q mistake crates/shop.rs 2>/dev/null; then
    echo "error[E0425]: cannot find value" >&2
    exit 101
fi
echo '{"target":{"name":"flash-sale-web"},"executable":"'"$(cat "$project/shop")"'"}'
"#;

/// A port below those that the system itself hands out, to replicas and to each outgoing connection. So it stays free
/// while the lab of a test doesn't run.
fn port_of_ones_own() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1000 * 20;
    loop {
        let port = 10_000 + (first as u16 + TAKEN.fetch_add(1, Ordering::SeqCst)) % 20_000;
        // Don't bind the port to find out: a process that another test is just starting would inherit the
        // socket for a moment.
        if TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
}

/// A project folder, a free port, and nothing running yet.
struct Project {
    /// Stops what still runs, also when the test is killed. It stands before the folder, because it
    /// works in the folder.
    clean: AtTheEnd,
    folder: TempDir,
    port: u16,
    /// The variables for a database that is there already.
    variables: Vec<(&'static str, String)>,
}

impl Project {
    /// A project with a private PostgreSQL.
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("flash-sale-project-").tempdir().unwrap();
        // The folder is open, as most people's folders are. When we are root, PostgreSQL's own user works in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        fs::create_dir(folder.path().join("crates")).unwrap();
        fs::create_dir(folder.path().join("static")).unwrap();
        fs::create_dir(folder.path().join("programs")).unwrap();
        let cargo = folder.path().join("programs/cargo");
        write_program(&cargo, CARGO);
        let shop = Path::new(LAB).with_file_name("flash-sale-web");
        fs::write(folder.path().join("shop"), shop.to_str().unwrap()).unwrap();
        let clean = AtTheEnd::run(LAB, &["clean"], folder.path());
        Self { clean, folder, port: port_of_ones_own(), variables: Vec::new() }
    }

    /// A project on a database that is there already. It starts faster.
    fn on(database: &TestDatabase) -> Self {
        let mut project = Self::new();
        project.variables = vec![
            ("DATABASE_URL", database.shop_url.clone()),
            ("MIGRATION_DATABASE_URL", database.url.clone()),
        ];
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LAB);
        for name in OF_ONE_SHOP {
            command.env_remove(name);
        }
        command.env("PATH", self.search_path());
        command.args(arguments).current_dir(self.path()).env("PORT", self.port.to_string());
        // The port of a dashboard could be the port that another test's shop is to have.
        command.env("DASHBOARD_PORT", "0");
        command.envs(self.variables.clone());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The path for programs. Our stand-in for cargo comes first.
    fn search_path(&self) -> OsString {
        let path = flash_sale_core::environment::required_text("PATH", "folders").unwrap();
        let paths = std::iter::once(self.path().join("programs")).chain(std::env::split_paths(&path));
        std::env::join_paths(paths).unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().await.unwrap())
    }

    async fn up(&self) -> Outcome {
        let outcome = self.run(&["up"]).await;
        assert!(outcome.success, "{}\n{}", outcome.output, outcome.errors);
        outcome
    }

    async fn status(&self) -> Value {
        let outcome = self.run(&["status", "--json"]).await;
        serde_json::from_str(&outcome.output).unwrap_or_else(|_| panic!("{}", outcome.errors))
    }

    /// Sends the running lab a request that no command sends, and returns the lab's last event.
    async fn ask(&self, request: &Request) -> Event {
        let mut socket = UnixStream::connect(self.path().join(CONTROL_SOCKET)).await.unwrap();
        socket.write_all(format!("{}\n", serde_json::to_string(request).unwrap()).as_bytes()).await.unwrap();
        last_event(socket, |_| {}).await.unwrap().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The arguments of each build that showed its progress.
    fn builds(&self) -> Vec<String> {
        let builds = fs::read_to_string(self.path().join("builds")).unwrap_or_default();
        builds.lines().filter(|told| !told.ends_with("--quiet")).map(str::to_owned).collect()
    }

    /// Lets the next build make another program: the same one, in a new file.
    fn change_shop(&self) {
        let (built, new) =
            (Path::new(LAB).with_file_name("flash-sale-web"), self.path().join("flash-sale-web"));
        fs::copy(built, &new).unwrap();
        fs::write(self.path().join("shop"), new.to_str().unwrap()).unwrap();
    }

    async fn answers(&self) -> bool {
        flash_sale_testbed::http::answers_ok(&self.url("/health")).await
    }

    async fn port_is_free(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A test that failed half-way may leave a shop that still runs. The other tests have stopped theirs already,
        // and this assertion says so.
        assert!(self.clean.now() || std::thread::panicking());
    }
}

struct Outcome {
    success: bool,
    /// It is -1 when a signal ended the command.
    code: i32,
    output: String,
    errors: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            success: output.status.success(),
            code: output.status.code().unwrap_or(-1),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }
}

fn replica_pids(status: &Value) -> Vec<u32> {
    let replicas = status["replicas"].as_array().unwrap();
    replicas.iter().filter_map(|replica| Some(replica["process"]["pid"].as_u64()? as u32)).collect()
}

/// The process ids of the lab, the replicas and PostgreSQL.
fn all_pids(status: &Value) -> Vec<u32> {
    let mut pids = replica_pids(status);
    pids.extend(status["pid"].as_u64().map(|pid| pid as u32));
    pids.extend(status["database"]["private"]["pid"].as_u64().map(|pid| pid as u32));
    pids
}

/// The lab's own process may run for another moment after `lab down`.
async fn assert_all_gone(status: &Value) {
    let lab = status["pid"].as_u64().unwrap() as u32;
    let left: Vec<u32> = all_pids(status).into_iter().filter(|pid| *pid != lab && !is_gone(*pid)).collect();
    assert!(left.is_empty(), "{left:?} still run");
    wait_until("the lab has ended", async || is_gone(lab)).await;
}

fn is_gone(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie counts as gone: only its parent can remove it, and the parent may not do so.
    test_kill_process(pid_of(pid)).is_err() || state.contains(") Z ")
}

fn kill(pid: u32) {
    kill_process(pid_of(pid), Signal::KILL).unwrap();
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}
